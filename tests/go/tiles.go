package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// The height of the tiles of tlog-tiles.
const tileHeight = 8

// tiles DIRECTORY VKEY
//
// Checks a log in a directory of static files: the signed checkpoint, the tiles, the entries, and in proofs.json proofs
// that were made by the log. Prints the size of the log, and how many files and proofs were checked. The directory may
// have partial tiles of smaller logs, too.
func init() {
	commands["tiles"] = func(args []string) error {
		if len(args) != 2 {
			return fmt.Errorf("expected a directory and a key, got %d arguments", len(args))
		}
		return checkTiles(args[0], args[1])
	}
}

func checkTiles(root, key string) error {
	log := &directory{root: root, read: map[string][]byte{}}
	tree, err := log.openCheckpoint(key)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, log)
	computed, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return err
	}
	if computed != tree.Hash {
		return fmt.Errorf("the tiles lead to the root %v, the checkpoint has %v", computed, tree.Hash)
	}
	stored, err := log.entries(tree.N)
	if err != nil {
		return err
	}
	if err := log.compareTiles(tree.N, stored); err != nil {
		return err
	}
	inclusion, consistency, err := log.checkProofs(tree, reader, stored)
	if err != nil {
		return err
	}
	smaller, err := log.smallerLogs(tree.N, stored)
	if err != nil {
		return err
	}
	fmt.Printf("size %d: %d files, %d of smaller logs, %d inclusion proofs, %d consistency proofs\n",
		tree.N, len(log.read), smaller, inclusion, consistency)
	return nil
}

// A directory of static files. Remembers what it has read.
type directory struct {
	root string
	read map[string][]byte
}

func (d *directory) file(path string) ([]byte, error) {
	if data, ok := d.read[path]; ok {
		return data, nil
	}
	data, err := os.ReadFile(filepath.Join(d.root, filepath.FromSlash(path)))
	if err == nil {
		d.read[path] = data
	}
	return data, err
}

// openCheckpoint returns the head of the log, of which it checks the signature.
func (d *directory) openCheckpoint(key string) (tlog.Tree, error) {
	signed, err := d.file("checkpoint")
	if err != nil {
		return tlog.Tree{}, err
	}
	return openTree(string(signed), key)
}

// Height makes the directory a tlog.TileReader.
func (d *directory) Height() int { return tileHeight }

// ReadTiles reads the files of tiles, whose length the caller checks.
func (d *directory) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := d.file(tilePath(tile))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// SaveTiles has nothing to do: files that were read are kept.
func (d *directory) SaveTiles([]tlog.Tile, [][]byte) {}

// tilePath is the path of a tile. That of the checksum database has the height in it, and another name for entries.
func tilePath(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tile.H))
	if rest := strings.TrimPrefix(path, "data/"); rest != path {
		path = "entries/" + rest
	}
	return "tile/" + path
}

// The hashes of a tree in the order of tlog.StoredHashIndex.
type storedHashes []tlog.Hash

// ReadHashes makes the list a tlog.HashReader.
func (s storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(s)) {
			return nil, fmt.Errorf("there is no hash %d", index)
		}
		hashes[i] = s[index]
	}
	return hashes, nil
}

// entries returns the hashes of the tree over the entries.
func (d *directory) entries(size int64) (storedHashes, error) {
	var stored storedHashes
	for index := int64(0); index < size; {
		tile := tileAt(-1, index>>tileHeight, size)
		path := tilePath(tile)
		bundle, err := d.file(path)
		if err != nil {
			return nil, err
		}
		for i := 0; i < tile.W; i++ {
			if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
				return nil, fmt.Errorf("%s ends in entry %d", path, i)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			hashes, err := tlog.StoredHashes(index, bundle[2:end], stored)
			if err != nil {
				return nil, err
			}
			stored = append(stored, hashes...)
			bundle = bundle[end:]
			index++
		}
		if len(bundle) > 0 {
			return nil, fmt.Errorf("%s has %d bytes after its entries", path, len(bundle))
		}
	}
	return stored, nil
}

// compareTiles compares all tiles with those of the entries. tlog.TileHashReader alone does not authenticate each: of
// the tiles that it does not read for the root it skips some if others have several hashes that it reads for the root.
func (d *directory) compareTiles(size int64, stored storedHashes) error {
	for level := 0; size>>(level*tileHeight) > 0; level++ {
		for index := int64(0); index<<tileHeight < size>>(level*tileHeight); index++ {
			tile := tileAt(level, index, size)
			expected, err := tlog.ReadTileData(tile, stored)
			if err != nil {
				return err
			}
			got, err := d.file(tilePath(tile))
			if err != nil {
				return err
			}
			if !bytes.Equal(got, expected) {
				return fmt.Errorf("%s is not that of the entries", tilePath(tile))
			}
		}
	}
	return nil
}

// tileAt returns the tile of a log of this size. Level -1 has the entries.
func tileAt(level int, index, size int64) tlog.Tile {
	tile := tlog.Tile{H: tileHeight, L: level, N: index, W: 1 << tileHeight}
	if level > 0 {
		size >>= level * tileHeight
	}
	if rest := size - index<<tileHeight; rest < int64(tile.W) {
		// Not positive if the log has no such tile.
		tile.W = int(rest)
	}
	return tile
}

// Proofs that were made by the log, with hashes in hexadecimal digits.
type proofs struct {
	Inclusion []struct {
		Index int64    `json:"index"`
		Size  int64    `json:"tree_size"`
		Path  []string `json:"path"`
	} `json:"inclusion"`
	Consistency []struct {
		OldRoot string `json:"old_root"`
		Proof   struct {
			OldSize int64    `json:"old_size"`
			NewSize int64    `json:"new_size"`
			Path    []string `json:"path"`
		} `json:"proof"`
	} `json:"consistency"`
}

// checkProofs checks the proofs of the log, and those that Go makes from the tiles, which must be equal to them.
// Returns the numbers of both kinds.
func (d *directory) checkProofs(tree tlog.Tree, reader tlog.HashReader, stored storedHashes) (int, int, error) {
	data, err := d.file("proofs.json")
	if err != nil {
		return 0, 0, err
	}
	var list proofs
	if err := json.Unmarshal(data, &list); err != nil {
		return 0, 0, err
	}
	for _, proof := range list.Inclusion {
		name := fmt.Sprintf("inclusion of %d in %d", proof.Index, proof.Size)
		path, err := parseHashes(proof.Path)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", name, err)
		}
		if proof.Size != tree.N || proof.Index < 0 || proof.Index >= tree.N {
			return 0, 0, fmt.Errorf("%s: the log has %d entries", name, tree.N)
		}
		leaf := stored[tlog.StoredHashIndex(0, proof.Index)]
		if err := tlog.CheckRecord(path, tree.N, tree.Hash, proof.Index, leaf); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", name, err)
		}
		computed, err := tlog.ProveRecord(tree.N, proof.Index, reader)
		if err != nil {
			return 0, 0, fmt.Errorf("%s from tiles: %w", name, err)
		}
		if !equal(computed, path) {
			return 0, 0, fmt.Errorf("%s: got %v, from tiles %v", name, path, computed)
		}
	}
	for _, entry := range list.Consistency {
		proof := entry.Proof
		name := fmt.Sprintf("consistency of %d with %d", proof.OldSize, proof.NewSize)
		path, err := parseHashes(proof.Path)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", name, err)
		}
		roots, err := parseHashes([]string{entry.OldRoot})
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", name, err)
		}
		if proof.NewSize != tree.N || proof.OldSize < 1 || proof.OldSize > tree.N {
			return 0, 0, fmt.Errorf("%s: the log has %d entries", name, tree.N)
		}
		if err := tlog.CheckTree(path, tree.N, tree.Hash, proof.OldSize, roots[0]); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", name, err)
		}
		oldRoot, err := tlog.TreeHash(proof.OldSize, reader)
		if err != nil {
			return 0, 0, fmt.Errorf("%s from tiles: %w", name, err)
		}
		if oldRoot != roots[0] {
			return 0, 0, fmt.Errorf("%s: the old root is %v, from tiles %v", name, roots[0], oldRoot)
		}
		computed, err := tlog.ProveTree(tree.N, proof.OldSize, reader)
		if err != nil {
			return 0, 0, fmt.Errorf("%s from tiles: %w", name, err)
		}
		if !equal(computed, path) {
			return 0, 0, fmt.Errorf("%s: got %v, from tiles %v", name, path, computed)
		}
	}
	return len(list.Inclusion), len(list.Consistency), nil
}

func parseHashes(texts []string) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(texts))
	for i, text := range texts {
		data, err := hex.DecodeString(text)
		if err != nil || len(data) != tlog.HashSize {
			return nil, fmt.Errorf("%q is no hash", text)
		}
		copy(hashes[i][:], data)
	}
	return hashes, nil
}

func equal(a, b []tlog.Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// smallerLogs checks that all other files are partial tiles of smaller logs, and returns their number.
func (d *directory) smallerLogs(size int64, stored storedHashes) (int, error) {
	count := 0
	err := filepath.WalkDir(d.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(d.root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if _, ok := d.read[name]; ok {
			return nil
		}
		path = strings.Replace(strings.TrimPrefix(name, "tile/"), "entries/", "data/", 1)
		tile, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", tileHeight, path))
		if err != nil || tilePath(tile) != name {
			return fmt.Errorf("%s is no tile", name)
		}
		if tile.W >= tileAt(tile.L, tile.N, size).W {
			return fmt.Errorf("%s is no tile of a log of this size or a smaller one", name)
		}
		got, err := os.ReadFile(filepath.Join(d.root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		var expected []byte
		if tile.L < 0 {
			// The entries have equal lengths.
			wider := tileAt(tile.L, tile.N, size)
			bundle := d.read[tilePath(wider)]
			expected = bundle[:len(bundle)/wider.W*tile.W]
		} else if expected, err = tlog.ReadTileData(tile, stored); err != nil {
			return err
		}
		if !bytes.Equal(got, expected) {
			return fmt.Errorf("%s is not that of the entries", name)
		}
		count++
		return nil
	})
	return count, err
}
