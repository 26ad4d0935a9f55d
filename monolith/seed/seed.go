// Package seed fills an empty shop with a believable past: products, customers,
// orders in every state with all that belongs to them. The same scale and day give
// the same rows, byte for byte. It refuses a shop that has anything in it.
package seed
