package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/mod/sumdb/note"
)

// sign SKEY < TEXT
//
// Signs a text and prints the note.
func init() {
	commands["sign"] = func(args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("expected one key, got %d arguments", len(args))
		}
		signer, err := note.NewSigner(args[0])
		if err != nil {
			return err
		}
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		signed, err := note.Sign(&note.Note{Text: string(text)}, signer)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(signed)
		return err
	}
}
