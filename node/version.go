package node

// Version is this source tree's version. Releases are tagged v<Version>.
const Version = "0.1.0"
