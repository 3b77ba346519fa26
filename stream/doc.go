// Package stream carries one app to its players over WebRTC: coded pictures and
// sound out, input and control messages in.
//
// An [Engine] holds what all sessions of a node share: one UDP port, one DTLS
// certificate, the negotiable codecs. A [Session] is one app with up to
// [Config.MaxPeers] peer connections: the owner, who started it, a few who play along
// and a few who watch.
//
// The frame path is short on purpose. [Session.WriteVideo] splits an access unit
// into RTP payloads once, and each peer's packets leave in one burst from the
// caller's goroutine: nothing is queued, paced or passed to another goroutine,
// because everything that waits shows up as latency. What a peer lost is repeated
// on NACK, or coded anew on PLI; what is late is never sent.
//
// The package never touches an app, an encoder, the mesh or the ledger: it tells a
// [Handler] what players want and is told what to send.
package stream
