package wallet

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/framemesh/framemesh/ledger/key"
)

// version of the secret and of what is told in clear.
const version = 1

// maxSecret bounds what is inside an age file, in bytes; a real one has about 200.
const maxSecret = 4 << 10

// secret is a key with its story.
type secret struct {
	seed    []byte
	address key.Address
	created time.Time
}

func newSecret(seed []byte, created time.Time) secret {
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	return secret{seed, key.Address(public), created.UTC().Truncate(time.Second)}
}

// secretJSON is what an age file holds.
type secretJSON struct {
	Version int         `json:"version"`
	Address key.Address `json:"address"`
	Created time.Time   `json:"created"`
	Seed    string      `json:"seed"` // hex
}

// publicJSON is what is told without a passphrase.
type publicJSON struct {
	Version int         `json:"version"`
	Address key.Address `json:"address"`
	Created time.Time   `json:"created"`
}

// seal writes the armored age file of a secret.
func seal(s secret, passphrase string, work int) ([]byte, error) {
	plain, err := json.Marshal(secretJSON{version, s.address, s.created, hex.EncodeToString(s.seed)})
	if err != nil {
		return nil, err
	}
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWeak, err)
	}
	r.SetWorkFactor(work)
	var b bytes.Buffer
	a := armor.NewWriter(&b)
	e, err := age.Encrypt(a, r)
	if err != nil {
		return nil, fmt.Errorf("wallet: encrypt: %w", err)
	}
	if _, err := e.Write(plain); err != nil {
		return nil, fmt.Errorf("wallet: encrypt: %w", err)
	}
	if err := errors.Join(e.Close(), a.Close()); err != nil {
		return nil, fmt.Errorf("wallet: encrypt: %w", err)
	}
	return b.Bytes(), nil
}

// unseal reads what seal wrote, and nothing that takes more than 2^maxWork KiB to open. It
// returns ErrPassphrase or ErrDamaged.
func unseal(b []byte, passphrase string, maxWork int) (secret, error) {
	const restore = "restore it from a backup"
	if passphrase == "" {
		return secret{}, fmt.Errorf("%w: none was given", ErrPassphrase)
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return secret{}, fmt.Errorf("%w: %w", ErrPassphrase, err)
	}
	id.SetMaxWorkFactor(maxWork)
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(b)), id)
	var wrong *age.NoIdentityMatchError
	switch {
	case errors.As(err, &wrong):
		return secret{}, fmt.Errorf("%w: try again; if you are sure of it, the file was changed: %s", ErrPassphrase, restore)
	case err != nil:
		return secret{}, fmt.Errorf("%w: %w; %s", ErrDamaged, err, restore)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil || len(plain) > maxSecret {
		return secret{}, fmt.Errorf("%w: its end is missing or changed; %s", ErrDamaged, restore)
	}
	s, err := parseSecret(plain)
	if err != nil {
		return secret{}, fmt.Errorf("%w; %s", err, restore)
	}
	return s, nil
}

// parseSecret reads the inside of an age file. The errors show nothing of it.
func parseSecret(plain []byte) (secret, error) {
	var j secretJSON
	if err := strict(plain, &j); err != nil {
		return secret{}, fmt.Errorf("%w: there is no key of an account inside", ErrDamaged)
	}
	if j.Version != version {
		return secret{}, fmt.Errorf("%w: made by a newer release (version %d)", ErrDamaged, j.Version)
	}
	seed, err := hex.DecodeString(j.Seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return secret{}, fmt.Errorf("%w: the seed inside is not one", ErrDamaged)
	}
	s := newSecret(seed, j.Created)
	if s.address != j.Address {
		return secret{}, fmt.Errorf("%w: the seed inside is not that of %s", ErrDamaged, j.Address)
	}
	return s, nil
}

// parsePublic reads what is told of a key in clear.
func parsePublic(name string, b []byte) (Entry, error) {
	var j publicJSON
	if err := strict(b, &j); err != nil || j.Version != version || j.Address == (key.Address{}) {
		return Entry{}, fmt.Errorf("%w: %s%s is not what tells of a key; remove it and unlock the key once", ErrDamaged, name, publicExt)
	}
	return Entry{Name: name, Address: j.Address, Created: j.Created}, nil
}

// strict decodes one JSON value with no unknown field and nothing behind it.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something stands behind it")
	}
	return nil
}
