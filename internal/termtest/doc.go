// Package termtest gives tests a pseudo-terminal, to see what a program draws on one. It
// does so on Linux.
package termtest
