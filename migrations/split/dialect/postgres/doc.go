// Package postgres is the split engine's knowledge of PostgreSQL.
package postgres
