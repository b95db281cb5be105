package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// cosignatureType is the signature type of cosignature/v1, which the package note does not have. This file is written
// from https://c2sp.org/tlog-cosignature.
const cosignatureType = 4

type cosignatureVerifier struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func (v *cosignatureVerifier) Name() string    { return v.name }
func (v *cosignatureVerifier) KeyHash() uint32 { return v.id }

func (v *cosignatureVerifier) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(signature)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return time < 1<<63 && ed25519.Verify(v.key, []byte(message), signature[8:])
}

// newCosignatureVerifier reads the key of a cosigner. It returns nil for a key of another type.
func newCosignatureVerifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) == 0 || key[0] != cosignatureType {
		return nil, nil
	}
	hash := sha256.Sum256([]byte(parts[0] + "\n" + string(key)))
	id := binary.BigEndian.Uint32(hash[:])
	if claimed, err := strconv.ParseUint(parts[1], 16, 32); err != nil || uint32(claimed) != id {
		return nil, errors.New("the key ID is not that of the key")
	}
	if len(key) != 1+ed25519.PublicKeySize {
		return nil, fmt.Errorf("the key has %d bytes", len(key)-1)
	}
	return &cosignatureVerifier{parts[0], id, key[1:]}, nil
}

// timeOf returns the time in a verified cosignature as text, and nothing for a signature of another type.
func timeOf(signature note.Signature, known []note.Verifier) string {
	for _, verifier := range known {
		_, isCosigner := verifier.(*cosignatureVerifier)
		if !isCosigner || verifier.Name() != signature.Name || verifier.KeyHash() != signature.Hash {
			continue
		}
		if bytes, err := base64.StdEncoding.DecodeString(signature.Base64); err == nil && len(bytes) >= 12 {
			return fmt.Sprintf(" at %d", binary.BigEndian.Uint64(bytes[4:]))
		}
	}
	return ""
}
