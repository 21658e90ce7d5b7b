// The judge: Go's own transparency log code (golang.org/x/mod/sumdb) reads what we wrote and says what it finds.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Question is what the test asks, on standard input.
type Question struct {
	Directory   string     // of a log: checkpoint, vkey, tile/…
	Inclusion   [][2]int64 // (index, size): prove from the tiles
	Consistency [][2]int64 // (old, new): prove from the tiles
	Notes       [][]byte   // open with the vkey
	Records     []Record   // check
	Trees       []Tree     // check
}

// Record says that a leaf is in a tree.
type Record struct {
	Index, Size int64
	Leaf, Root  tlog.Hash
	Proof       tlog.RecordProof
}

// Tree says that a tree begins with another.
type Tree struct {
	Old, New         int64
	OldRoot, NewRoot tlog.Hash
	Proof            tlog.TreeProof
}

// Answer is what the judge found, on standard output.
type Answer struct {
	Text        string
	Root        tlog.Hash
	Inclusion   []tlog.RecordProof
	Consistency []tlog.TreeProof
	Notes       []bool
	Records     []bool
	Trees       []bool
}

type tiles struct{ directory string }

func (tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		// A C2SP path is Go's without the height.
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		content, err := os.ReadFile(filepath.Join(t.directory, path))
		if err != nil {
			return nil, err
		}
		found = append(found, content)
	}
	return found, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func main() {
	var question Question
	must(0, json.NewDecoder(os.Stdin).Decode(&question))
	read := func(name string) []byte { return must(os.ReadFile(filepath.Join(question.Directory, name))) }
	verifiers := note.VerifierList(must(note.NewVerifier(strings.TrimSpace(string(read("vkey"))))))
	opened := must(note.Open(read("checkpoint"), verifiers))

	// Go's ParseTree insists on the name of its own database.
	_, rest, _ := strings.Cut(opened.Text, "\n")
	tree := must(tlog.ParseTree([]byte("go.sum database tree\n" + rest)))
	hashes := tlog.TileHashReader(tree, tiles{question.Directory})

	answer := Answer{Text: opened.Text, Root: must(tlog.TreeHash(tree.N, hashes))}
	for _, ask := range question.Inclusion {
		answer.Inclusion = append(answer.Inclusion, must(tlog.ProveRecord(ask[1], ask[0], hashes)))
	}
	for _, ask := range question.Consistency {
		answer.Consistency = append(answer.Consistency, must(tlog.ProveTree(ask[1], ask[0], hashes)))
	}
	for _, ask := range question.Notes {
		_, err := note.Open(ask, verifiers)
		answer.Notes = append(answer.Notes, err == nil)
	}
	for _, ask := range question.Records {
		answer.Records = append(answer.Records, tlog.CheckRecord(ask.Proof, ask.Size, ask.Root, ask.Index, ask.Leaf) == nil)
	}
	for _, ask := range question.Trees {
		answer.Trees = append(answer.Trees, tlog.CheckTree(ask.Proof, ask.New, ask.NewRoot, ask.Old, ask.OldRoot) == nil)
	}
	must(0, json.NewEncoder(os.Stdout).Encode(answer))
}
