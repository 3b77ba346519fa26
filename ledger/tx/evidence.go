package tx

import (
	"crypto/ed25519"
	"fmt"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/vrf"
)

// Some operations carry signatures of others than the signer. Those that name their own
// key are checked here, without the state: a node's consent to be registered and its proofs to
// hold its keys, oracle quotes, the statement of an accused, two votes. A voucher names no key;
// its player stands in the state (see package voucher). An attestation names a place in a panel,
// which the state knows (see VoteCertificate.VerifyBy).

// VerifyEvidence checks the signatures inside the operation that name their own keys, for
// one chain. It returns ErrEvidence. It costs up to 9 verifications, so whoever sheds load
// calls it after the signer has shown that it can pay.
func (t *Tx) VerifyEvidence(chain string) error {
	if known := t.evidence.Load(); known != nil && chain != "" && *known == chain {
		return nil
	}
	names, entries := t.inner()
	for i, ok := range key.VerifyAll(chain, entries) {
		if !ok {
			return fmt.Errorf("%w: %s: %s is not by %s", ErrEvidence, t.Name(), names[i], key.Node(entries[i].Key))
		}
	}
	if r := t.Body.GetRegister(); len(r.GetVrfProof()) != 0 {
		alpha := VRFAlpha(chain, t.Account, key.Node(r.GetNode()), r.GetVrfKey(), r.GetConsensusKey())
		if _, err := vrf.Verify(vrf.PublicKey(r.GetVrfKey()), alpha, r.GetVrfProof()); err != nil {
			return fmt.Errorf("%w: %s: vrf_proof: %w", ErrEvidence, t.Name(), err)
		}
	}
	return nil
}

func (t *Tx) inner() (names []string, entries []key.Signed) {
	add := func(name string, e key.Signed) { names, entries = append(names, name), append(entries, e) }
	switch op := t.Body.GetOp().(type) {
	case *Body_Register:
		r := op.Register
		if len(r.GetConsensusSignature()) != 0 {
			add("consensus_signature", key.Signed{Key: r.GetConsensusKey(), Kind: key.KindConsensus,
				Payload: NodePayload(t.Account, key.Node(r.GetNode()), r.GetVrfKey(), r.GetConsensusKey()), Signature: r.GetConsensusSignature()})
		}
		if len(r.GetNodeSignature()) != 0 {
			add("node_signature", key.Signed{Key: r.GetNode(), Kind: key.KindNode,
				Payload: NodePayload(t.Account, key.Node(r.GetNode()), r.GetVrfKey(), r.GetConsensusKey()), Signature: r.GetNodeSignature()})
		}
	case *Body_Open:
		for i, raw := range op.Open.GetQuotes() {
			add(fmt.Sprintf("quote %d", i+1), key.Signed{Key: raw[:key.Size], Kind: key.KindQuote,
				Payload: raw[:len(raw)-ed25519.SignatureSize], Signature: raw[len(raw)-ed25519.SignatureSize:]})
		}
	case *Body_Fraud:
		f := op.Fraud
		if Sealed(f.GetKind()) {
			break // its seal is opened where the proof is judged
		}
		add("statement", key.Signed{Key: f.GetSubject(), Kind: key.KindStatement, Payload: f.GetStatement(), Signature: f.GetSignature()})
	case *Body_DoubleVote:
		d := op.DoubleVote
		add("vote a", key.Signed{Key: d.GetChecker(), Kind: key.KindCertificate,
			Payload: VotePayload(d.GetEpoch(), d.GetBatch(), [32]byte(d.GetResultA())), Signature: d.GetSignatureA()})
		add("vote b", key.Signed{Key: d.GetChecker(), Kind: key.KindCertificate,
			Payload: VotePayload(d.GetEpoch(), d.GetBatch(), [32]byte(d.GetResultB())), Signature: d.GetSignatureB()})
	}
	return names, entries
}

// NodePayload is what a node key signs, as key.KindNode, to let an account register it:
// account ‖ node ‖ vrf_key ‖ consensus_key, the last two of 32 bytes each or both empty.
func NodePayload(account key.Address, node key.Node, vrfKey, consensusKey []byte) []byte {
	b := make([]byte, 0, 4*key.Size)
	b = append(b, account[:]...)
	b = append(b, node[:]...)
	b = append(b, vrfKey...)
	return append(b, consensusKey...)
}

// VRFAlpha is the input of the proof by which a VRF key says whose it is: what would be
// signed, as key.KindVRF, over NodePayload. No block ever asks for it, so it tells nothing
// of the seed.
func VRFAlpha(chain string, account key.Address, node key.Node, vrfKey, consensusKey []byte) []byte {
	return key.SignBytes(chain, key.KindVRF, NodePayload(account, node, vrfKey, consensusKey))
}

// Consent signs r by the node key, so that account may register it. It fills in node and
// node_signature; the keys that r names must stand already.
func (x *Register) Consent(chain string, node ed25519.PrivateKey, account key.Address) {
	x.Node = append([]byte(nil), node[ed25519.SeedSize:]...)
	x.NodeSignature = key.Sign(node, chain, key.KindNode, NodePayload(account, key.Node(x.Node), x.GetVrfKey(), x.GetConsensusKey()))
}

// Possess enters the keys that the node of r validates with, and the proofs that it holds
// them, for this account only. The node must stand already; Consent comes afterwards.
func (x *Register) Possess(chain string, account key.Address, consensus ed25519.PrivateKey, v vrf.PrivateKey) {
	public := v.Public()
	x.VrfKey, x.ConsensusKey = public[:], append([]byte(nil), consensus[ed25519.SeedSize:]...)
	node := key.Node(x.Node)
	x.ConsensusSignature = key.Sign(consensus, chain, key.KindConsensus, NodePayload(account, node, x.VrfKey, x.ConsensusKey))
	proof := vrf.Prove(v, VRFAlpha(chain, account, node, x.VrfKey, x.ConsensusKey))
	x.VrfProof = proof[:]
}
