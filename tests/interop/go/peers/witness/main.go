// Command witness serves the witness of transparency-dev for one log, with a fresh key and its state in memory.
//
//	witness NAME LOGVKEY
//
// It prints its URL and its verifier key on one line once it listens, and serves until it is killed.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"

	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/witness/persistence/inmemory"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"
)

func run(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("usage: witness NAME LOGVKEY")
	}
	logKey, err := note.NewVerifier(arguments[1])
	if err != nil {
		return err
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, arguments[0])
	if err != nil {
		return err
	}
	signer, err := fnote.NewSignerForCosignatureV1(skey)
	if err != nil {
		return err
	}
	if vkey, err = fnote.VKeyToCosignatureV1(vkey); err != nil {
		return err
	}
	served, err := witness.New(context.Background(), witness.Opts{
		Persistence: inmemory.New(),
		Signers:     []note.Signer{signer},
		VerifierForLog: func(_ context.Context, origin string) (note.Verifier, bool, error) {
			return logKey, origin == logKey.Name(), nil
		},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", witness.NewHTTPHandler(served).AddCheckpoint)
	fmt.Printf("http://%s %s\n", listener.Addr(), vkey)
	return http.Serve(listener, mux)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
