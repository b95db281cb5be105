package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/mod/sumdb/note"
)

// note VKEY... < NOTE
//
// Opens a note with these keys. Prints a line for each signature, verified or of an unknown key, a blank line, and the
// text.
func init() {
	commands["note"] = func(args []string) error {
		known := make([]note.Verifier, 0, len(args))
		for _, vkey := range args {
			verifier, err := newVerifier(vkey)
			if err != nil {
				return fmt.Errorf("%s: %w", vkey, err)
			}
			known = append(known, verifier)
		}
		message, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		opened, err := note.Open(message, note.VerifierList(known...))
		if err != nil {
			return err
		}
		for _, signature := range opened.Sigs {
			fmt.Printf("verified %s+%08x%s\n", signature.Name, signature.Hash, timeOf(signature, known))
		}
		for _, signature := range opened.UnverifiedSigs {
			fmt.Printf("unknown %s+%08x\n", signature.Name, signature.Hash)
		}
		fmt.Printf("\n%s", opened.Text)
		return nil
	}
}

// newVerifier reads a key of either type.
func newVerifier(vkey string) (note.Verifier, error) {
	if cosigner, err := newCosignatureVerifier(vkey); cosigner != nil || err != nil {
		return cosigner, err
	}
	return note.NewVerifier(vkey)
}
