package yamldoc

// ParseInPieces is Parse as it treats large files, for files of any size.
func ParseInPieces(name string, source []byte, tokens int) (*Document, error) {
	return parseIn(name, source, 0, tokens)
}

// ParseWhole is Parse as it treats small files, for files of any size.
func ParseWhole(name string, source []byte) (*Document, error) {
	return parseIn(name, source, 1<<30, 0)
}
