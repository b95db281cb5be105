//! Replaces TLS in a build without it by uninhabited types, so that the calling code needs no conditions.

use std::io;

use tungstenite::http::HeaderMap;

use super::secure::Refusal;
use super::socket::{Io, Socket};
use crate::protocol::PeerAddr;
use crate::transport::TransportError;

/// The settings of TLS, which cannot exist in this build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {}

impl Tls {
    pub(super) const fn is_closed(&self) -> bool {
        match *self {}
    }

    pub(super) const fn check_identity(&self, _: &PeerAddr) -> Result<(), TransportError> {
        match *self {}
    }

    pub(super) const fn not_spoken(&self, _: &PeerAddr) -> TransportError {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "waits where there is TLS")]
    pub(super) async fn dial(
        &self,
        _: &PeerAddr,
        _: &str,
        _: Box<dyn Socket>,
    ) -> Result<(Box<dyn Io>, Session), TransportError> {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "waits where there is TLS")]
    pub(super) async fn accept(
        &self,
        _: &PeerAddr,
        _: Box<dyn Socket>,
    ) -> Result<(Box<dyn Io>, Session), TransportError> {
        match *self {}
    }
}

/// A TLS session, which cannot exist in this build.
#[derive(Debug)]
pub(super) enum Session {}

impl Session {
    pub(super) const fn sign_request(&self, _: &mut HeaderMap) {
        match *self {}
    }

    pub(super) const fn check_request(&self, _: &PeerAddr, _: &HeaderMap) -> Result<(), Box<Refusal>> {
        match *self {}
    }

    pub(super) const fn sign_answer(&self, _: &mut HeaderMap) {
        match *self {}
    }

    pub(super) const fn check_answer(&self, _: &PeerAddr, _: &HeaderMap) -> Result<(), TransportError> {
        match *self {}
    }
}

/// No error is caused by TLS in this build.
pub(super) const fn cause(_: &PeerAddr, _: &io::Error) -> Option<TransportError> {
    None
}
