package purse

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/pion/sdp/v3"

	indexermatch "github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream/whep"
)

// Verifier checks of an answer what the page in a browser checks: that the match's
// certificate names the container, and that the container itself made the answer.
type Verifier struct {
	Network string
	// What was found out, in this order.
	Container   peer.ID // that the gateway names
	Certificate bool    // it is one of those matched
	Answer      bool    // it signed this answer to this offer
}

// ErrAnswer is an answer that somebody else made.
var ErrAnswer = errors.New("purse: the answer is not the one that the matched container signed")

// Verify is a player.Options.Verify.
func (v *Verifier) Verify(offer, answer string, h http.Header) error {
	cert, err := base64.StdEncoding.DecodeString(h.Get(whep.HeaderCertificate))
	if err != nil {
		return fmt.Errorf("purse: certificate: %w", err)
	}
	c, err := indexermatch.Verify(cert, v.Network)
	if err != nil {
		return fmt.Errorf("purse: certificate: %w", err)
	}
	id, err := peer.Decode(h.Get(whep.HeaderContainer))
	if err != nil {
		return fmt.Errorf("purse: container id: %w", err)
	}
	v.Container = id
	named := false
	for _, ch := range c.Top {
		named = named || peer.ID(ch.Container) == id
	}
	if !named {
		return errors.New("purse: the certificate does not name the container that answered")
	}
	v.Certificate = true
	sealed, err := base64.StdEncoding.DecodeString(h.Get(whep.HeaderProof))
	if err != nil {
		return fmt.Errorf("purse: proof: %w", err)
	}
	var proof wire.AnswerProof
	signer, err := seal.Open(v.Network, seal.TypeAnswer, sealed, maxProof, &proof)
	if err != nil {
		return fmt.Errorf("purse: proof: %w", err)
	}
	fp, err := fingerprint(answer)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(offer))
	if signer != id || peer.ID(proof.Container) != id || string(proof.OfferSha256) != string(sum[:]) ||
		string(proof.Fingerprint) != string(fp) || hex.EncodeToString(proof.SessionId) != h.Get(whep.HeaderSession) {
		return ErrAnswer
	}
	v.Answer = true
	return nil
}

// fingerprint returns the SHA-256 DTLS fingerprint of an SDP. All of them must agree:
// one per media section would let a second one through.
func fingerprint(text string) ([]byte, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("purse: answer: %w", err)
	}
	var found []string
	if f, ok := d.Attribute("fingerprint"); ok {
		found = append(found, f)
	}
	for _, m := range d.MediaDescriptions {
		for _, a := range m.Attributes {
			if a.Key == "fingerprint" {
				found = append(found, a.Value)
			}
		}
	}
	for _, f := range found {
		if f != found[0] {
			return nil, ErrAnswer
		}
	}
	if len(found) == 0 {
		return nil, errors.New("purse: the answer has no fingerprint")
	}
	algorithm, digits, _ := strings.Cut(found[0], " ")
	b, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if err != nil || !strings.EqualFold(algorithm, "sha-256") || len(b) != sha256.Size {
		return nil, fmt.Errorf("purse: fingerprint %.80q is not SHA-256", found[0])
	}
	return b, nil
}
