// Command reader reads a ledger as other people's programs would: the checkpoint with the note package of the
// Go checksum database and the checkpoint parser of transparency-dev, hashes from static tiles with its tlog
// package, entries from bundles, and a proof file. Nothing in it knows pseudoledger.
//
//	reader DIR LOGVKEY [PROOF WITNESSVKEY]
//
// DIR holds the tiles. It prints one JSON object, or says on standard error what does not verify.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight  = 8
	bundleWidth = 1 << tileHeight
)

// tiles reads tiles from a directory in the layout of C2SP tlog-tiles.
type tiles struct{ dir string }

func (t tiles) Height() int { return tileHeight }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	read := make([][]byte, len(wanted))
	for i, tile := range wanted {
		// The checksum database names the height in the path, tlog-tiles does not.
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
		content, err := os.ReadFile(filepath.Join(t.dir, filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		read[i] = content
	}
	return read, nil
}

// bundlePath is the path of bundle n with width entries.
func bundlePath(n int64, width int64) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	if width < bundleWidth {
		path = fmt.Sprintf("%s.p/%d", path, width)
	}
	return "tile/entries/" + path
}

// entries reads all entries of a tree.
func (t tiles) entries(size int64) ([][]byte, error) {
	var found [][]byte
	for n := int64(0); n*bundleWidth < size; n++ {
		width := min(bundleWidth, size-n*bundleWidth)
		raw, err := os.ReadFile(filepath.Join(t.dir, filepath.FromSlash(bundlePath(n, width))))
		if err != nil {
			return nil, err
		}
		for len(raw) >= 2 {
			length := int(binary.BigEndian.Uint16(raw))
			if len(raw) < 2+length {
				return nil, fmt.Errorf("bundle %d is cut off", n)
			}
			found = append(found, raw[2:2+length])
			raw = raw[2+length:]
		}
		if len(raw) != 0 {
			return nil, fmt.Errorf("bundle %d has bytes left over", n)
		}
	}
	if int64(len(found)) != size {
		return nil, fmt.Errorf("%d entries where %d are due", len(found), size)
	}
	return found, nil
}

type result struct {
	Origin   string `json:"origin"`
	Size     int64  `json:"size"`
	Root     string `json:"root"`
	Records  int    `json:"records"`
	Prefixes int    `json:"prefixes"`
	Proved   *int64 `json:"proved"`
}

func run(arguments []string) (*result, error) {
	if len(arguments) != 2 && len(arguments) != 4 {
		return nil, fmt.Errorf("usage: reader DIR LOGVKEY [PROOF WITNESSVKEY]")
	}
	source := tiles{dir: arguments[0]}
	logKey, err := note.NewVerifier(arguments[1])
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(source.dir, "checkpoint"))
	if err != nil {
		return nil, err
	}
	checkpoint, _, _, err := log.ParseCheckpoint(raw, logKey.Name(), logKey)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	tree := tlog.Tree{N: int64(checkpoint.Size)}
	copy(tree.Hash[:], checkpoint.Hash)
	hashes := tlog.TileHashReader(tree, source)
	entries, err := source.entries(tree.N)
	if err != nil {
		return nil, err
	}
	found := &result{Origin: checkpoint.Origin, Size: tree.N, Root: base64.StdEncoding.EncodeToString(tree.Hash[:])}
	for index, entry := range entries {
		proof, err := tlog.ProveRecord(tree.N, int64(index), hashes)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(index), tlog.RecordHash(entry)); err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
		found.Records++
	}
	for size := int64(1); size <= tree.N; size++ {
		older, err := tlog.TreeHash(size, hashes)
		if err != nil {
			return nil, fmt.Errorf("size %d: %w", size, err)
		}
		proof, err := tlog.ProveTree(tree.N, size, hashes)
		if err != nil {
			return nil, fmt.Errorf("size %d: %w", size, err)
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, older); err != nil {
			return nil, fmt.Errorf("size %d: %w", size, err)
		}
		found.Prefixes++
	}
	if len(arguments) == 4 {
		index, err := checkProof(arguments[2], logKey, arguments[3], entries)
		if err != nil {
			return nil, fmt.Errorf("proof: %w", err)
		}
		found.Proved = &index
	}
	return found, nil
}

// checkProof verifies a c2sp.org/tlog-proof@v1 file which a witness has to have cosigned.
func checkProof(path string, logKey note.Verifier, witness string, entries [][]byte) (int64, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	head, signed, ok := bytes.Cut(raw, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !ok || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, fmt.Errorf("not a proof file")
	}
	number, ok := strings.CutPrefix(lines[1], "index ")
	if !ok {
		return 0, fmt.Errorf("no index line")
	}
	index, err := strconv.ParseInt(number, 10, 64)
	if err != nil || index < 0 || index >= int64(len(entries)) {
		return 0, fmt.Errorf("index %q", number)
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, err
		}
		proof = append(proof, hash)
	}
	witnessKey, err := fnote.NewVerifierForCosignatureV1(witness)
	if err != nil {
		return 0, err
	}
	checkpoint, _, opened, err := log.ParseCheckpoint(signed, logKey.Name(), logKey, witnessKey)
	if err != nil {
		return 0, err
	}
	if len(opened.Sigs) != 2 {
		return 0, fmt.Errorf("%d known signatures where 2 are due", len(opened.Sigs))
	}
	var root tlog.Hash
	copy(root[:], checkpoint.Hash)
	return index, tlog.CheckRecord(proof, int64(checkpoint.Size), root, index, tlog.RecordHash(entries[index]))
}

func main() {
	found, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
