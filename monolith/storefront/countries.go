package storefront

// A nation is a country that the shop's address form offers.
type nation struct{ Code, Name string }

func countries() []nation {
	return []nation{
		{"US", "United States"},
		{"AU", "Australia"},
		{"AT", "Austria"},
		{"BE", "Belgium"},
		{"BR", "Brazil"},
		{"CA", "Canada"},
		{"CZ", "Czechia"},
		{"DK", "Denmark"},
		{"FI", "Finland"},
		{"FR", "France"},
		{"DE", "Germany"},
		{"GR", "Greece"},
		{"IN", "India"},
		{"IE", "Ireland"},
		{"IT", "Italy"},
		{"JP", "Japan"},
		{"LU", "Luxembourg"},
		{"MX", "Mexico"},
		{"NL", "Netherlands"},
		{"NZ", "New Zealand"},
		{"NO", "Norway"},
		{"PL", "Poland"},
		{"PT", "Portugal"},
		{"SG", "Singapore"},
		{"ZA", "South Africa"},
		{"ES", "Spain"},
		{"SE", "Sweden"},
		{"CH", "Switzerland"},
		{"GB", "United Kingdom"},
	}
}

// countryName is the name of a country, or its code if the form does not offer it.
func countryName(code string) string {
	for _, c := range countries() {
		if c.Code == code {
			return c.Name
		}
	}
	return code
}
