package tx

// Operations by name, in the order of the specification.
const (
	NameTransfer    = "transfer"
	NameRegister    = "register"
	NameRetire      = "retire"
	NameDelegate    = "delegate"
	NameRevoke      = "revoke"
	NameStake       = "stake"
	NameUnbond      = "unbond"
	NameOpen        = "open_session"
	NameTopUp       = "top_up"
	NameClose       = "close_session"
	NameBatchClose  = "batch_close"
	NameVoteCommit  = "vote_commit"
	NameCertificate = "vote_certificate"
	NameFraud       = "fraud_proof"
	NameDoubleVote  = "double_vote"
	NameClaim       = "claim"
	NamePropose     = "propose_change"
	NameApprove     = "approve_change"
	NameAppeal      = "appeal"
)

// Names lists every operation.
func Names() []string {
	return []string{
		NameTransfer, NameRegister, NameRetire, NameDelegate, NameRevoke, NameStake, NameUnbond,
		NameOpen, NameTopUp, NameClose, NameBatchClose, NameVoteCommit, NameCertificate,
		NameFraud, NameDoubleVote, NameClaim, NamePropose, NameApprove, NameAppeal,
	}
}

// Name is the name of a body's operation; "" when it has none.
func Name(b *Body) string {
	switch b.GetOp().(type) {
	case *Body_Transfer:
		return NameTransfer
	case *Body_Register:
		return NameRegister
	case *Body_Retire:
		return NameRetire
	case *Body_Delegate:
		return NameDelegate
	case *Body_Revoke:
		return NameRevoke
	case *Body_Stake:
		return NameStake
	case *Body_Unbond:
		return NameUnbond
	case *Body_Open:
		return NameOpen
	case *Body_TopUp:
		return NameTopUp
	case *Body_Close:
		return NameClose
	case *Body_BatchClose:
		return NameBatchClose
	case *Body_VoteCommit:
		return NameVoteCommit
	case *Body_Certificate:
		return NameCertificate
	case *Body_Fraud:
		return NameFraud
	case *Body_DoubleVote:
		return NameDoubleVote
	case *Body_Claim:
		return NameClaim
	case *Body_Propose:
		return NamePropose
	case *Body_Approve:
		return NameApprove
	case *Body_Appeal:
		return NameAppeal
	}
	return ""
}

// Delegable says whether a node key may do this for the account that delegated to it:
// what reports, settles and votes, nothing that moves the account's money or rights.
func Delegable(name string) bool {
	switch name {
	case NameRegister, NameClose, NameBatchClose, NameVoteCommit, NameCertificate,
		NameFraud, NameDoubleVote, NamePropose, NameApprove:
		return true
	}
	return false
}
