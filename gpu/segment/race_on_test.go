//go:build race

package segment

// raceDetector makes compiling a game take twenty times as long.
const raceDetector = true
