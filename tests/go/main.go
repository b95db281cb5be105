// Checks the evidence of hashloom with the packages of golang.org/x/mod/sumdb, which share no code with it.
//
// Debian's packages golang-go and golang-golang-x-mod-dev are enough, without a network:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run ./tests/go note VKEY... < NOTE
//
// Each subcommand has a file, which adds it to commands. It reads what it checks from the standard input, prints what it
// found, and ends with status 1 and a message if a check fails.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

// command runs a subcommand with the arguments after its name.
type command func(args []string) error

var commands = map[string]command{}

func main() {
	run := command(nil)
	if len(os.Args) > 1 {
		run = commands[os.Args[1]]
	}
	if run == nil {
		names := make([]string, 0, len(commands))
		for name := range commands {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "usage: %s %s\n", os.Args[0], strings.Join(names, "|"))
		os.Exit(2)
	}
	if err := run(os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
