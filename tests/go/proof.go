package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// proof VKEY ENTRY < FILE
//
// Checks a .tlog-proof file for an entry in hex, without a look at its extra data. The origin is the name of the key.
//
// contradiction VKEY < FILE
//
// Checks that the owner of the key has signed two checkpoints that contradict each other.
func init() {
	commands["proof"] = func(args []string) error {
		if len(args) != 2 {
			return errors.New("expected a key and an entry")
		}
		entry, err := hex.DecodeString(args[1])
		if err != nil {
			return err
		}
		lines, rest, err := readHead()
		if err != nil {
			return err
		}
		if len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
			return fmt.Errorf("no proof: %q", lines)
		}
		lines = lines[1:]
		if strings.HasPrefix(lines[0], "extra ") {
			lines = lines[1:]
		}
		if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
			return fmt.Errorf("no index: %q", lines)
		}
		index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
		if err != nil {
			return err
		}
		path, err := parsePath(lines[1:])
		if err != nil {
			return err
		}
		tree, err := openTree(rest, args[0])
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
			return err
		}
		fmt.Printf("entry %d of %d\n", index, tree.N)
		return nil
	}

	commands["contradiction"] = func(args []string) error {
		if len(args) != 1 {
			return errors.New("expected a key")
		}
		lines, rest, err := readHead()
		if err != nil {
			return err
		}
		if len(lines) < 2 || lines[0] != "hashloom/contradiction@v1" || !strings.HasPrefix(lines[1], "root ") {
			return fmt.Errorf("no contradiction: %q", lines)
		}
		root, err := tlog.ParseHash(strings.TrimPrefix(lines[1], "root "))
		if err != nil {
			return err
		}
		path, err := parsePath(lines[2:])
		if err != nil {
			return err
		}
		// Each note has one empty line of its own.
		parts := strings.Split(rest, "\n\n")
		if len(parts) != 4 {
			return fmt.Errorf("%d parts, not two notes", len(parts))
		}
		smaller, err := openTree(parts[0]+"\n\n"+parts[1]+"\n", args[0])
		if err != nil {
			return err
		}
		larger, err := openTree(parts[2]+"\n\n"+parts[3], args[0])
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(path, larger.N, larger.Hash, smaller.N, root); err != nil {
			return err
		}
		if root == smaller.Hash {
			return errors.New("the checkpoints are consistent")
		}
		fmt.Printf("%d contradicts %d\n", smaller.N, larger.N)
		return nil
	}
}

// readHead reads the standard input: the lines up to the first empty one, and the text after it.
func readHead() ([]string, string, error) {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, "", err
	}
	head, rest, found := strings.Cut(string(text), "\n\n")
	if !found {
		return nil, "", errors.New("no empty line")
	}
	return strings.Split(head, "\n"), rest, nil
}

func parsePath(lines []string) ([]tlog.Hash, error) {
	path := make([]tlog.Hash, len(lines))
	for i, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		path[i] = hash
	}
	return path, nil
}
