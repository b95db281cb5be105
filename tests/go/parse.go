package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
)

// parse < LINES
//
// Parses many notes without a key. Each line has a note in base64. Prints a line for each: "malformed", or the number of
// different signatures and the text in base64, with "lax " before it if a signature is not canonical base64, which the
// package note does not check.
func init() {
	commands["parse"] = func([]string) error {
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			message, err := base64.StdEncoding.DecodeString(lines.Text())
			if err != nil {
				return err
			}
			_, err = note.Open(message, nil)
			var unverified *note.UnverifiedNoteError
			if !errors.As(err, &unverified) {
				fmt.Println("malformed")
				continue
			}
			for _, signature := range unverified.Note.UnverifiedSigs {
				if _, err := base64.StdEncoding.Strict().DecodeString(signature.Base64); err != nil {
					fmt.Print("lax ")
					break
				}
			}
			text := base64.StdEncoding.EncodeToString([]byte(unverified.Note.Text))
			fmt.Println(len(unverified.Note.UnverifiedSigs), text)
		}
		return lines.Err()
	}
}
