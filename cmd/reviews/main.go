// Command reviews runs the reviews service: the reviews of the shop, on a table that a
// split moved out of the monolith's database.
package main

import "github.com/stranglerfig/toolkit/internal/service"

func main() { service.Main(owner, command) }
