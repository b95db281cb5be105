"""The fuzzing server of the Autobahn test suite, for clients that insist on a subprotocol: it agrees to the first one
that a client offers, where the suite's own server agrees to none. Nothing else is changed.

Usage: python2.7 fuzzing_server.py <specification.json>
"""

import json
import sys

from autobahntestsuite import choosereactor  # noqa: F401 (before anything of Twisted)
from autobahntestsuite.fuzzing import FuzzingServerFactory, FuzzingServerProtocol
from autobahn.twisted.websocket import listenWS
from twisted.internet import reactor


class Protocol(FuzzingServerProtocol):
    def onConnect(self, request):
        FuzzingServerProtocol.onConnect(self, request)
        return request.protocols[0] if request.protocols else None


class Factory(FuzzingServerFactory):
    protocol = Protocol


with open(sys.argv[1]) as specification:
    listenWS(Factory(json.load(specification)))
print("ready")
sys.stdout.flush()
reactor.run()
