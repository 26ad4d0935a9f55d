package seed

// The passwords of the seeded accounts are no secret, so their hashes can be fixed,
// which makes two seeded shops equal.
const (
	adminHash    = "$argon2id$v=19$m=19456,t=2,p=1$acahkLLV5fOPmR1bQuwVKA$8+rekMYlU3Usy2myD2TmaymsD1Sc8B1UFxFq7Wbw0qA" // admin-password
	adaHash      = "$argon2id$v=19$m=19456,t=2,p=1$ScPaNPeYfOrMvFQW0nx7hw$Dt2GAaTyXLd0sa24MtsSJPEN5XzYGKWjPYV2D4JgpLU" // ada-password
	customerHash = "$argon2id$v=19$m=19456,t=2,p=1$76Jw0crjUGGTZSpRx8PDkQ$2X7ZqlxG/+I1g+IN+2ndQRQVPQ6hlWo1lnf4o7klSd0" // customer-password
)

var firstNames = [...]string{
	"Amelia", "Noah", "Priya", "Mateo", "Hannah", "Kofi", "Ingrid", "Luca", "Yuki", "Omar", "Clara", "Dmitri",
	"Fatima", "Henrik", "Isabel", "Jonas", "Keiko", "Liam", "Mina", "Nils", "Olivia", "Pablo", "Quinn", "Rosa",
	"Samuel", "Tara", "Umar", "Vera", "Wanda", "Xavier", "Yara", "Zoe", "Anton", "Bea", "Caleb", "Dora",
	"Elif", "Felix", "Greta", "Hugo", "Iris", "Jasper", "Kira", "Leon", "Maeve", "Nadia",
}

var lastNames = [...]string{
	"Adler", "Bianchi", "Castillo", "Dubois", "Eriksen", "Fischer", "Garcia", "Hughes", "Ivanova", "Jensen", "Kaya",
	"Lindqvist", "Moreau", "Nakamura", "Okafor", "Patel", "Quist", "Romano", "Schmidt", "Tanaka", "Ueda", "Vargas",
	"Weber", "Xu", "Young", "Zhang", "Archer", "Bennett", "Clarke", "Dawson", "Ellis", "Foster", "Grant", "Hayes",
	"Irving", "Jarvis", "Keller", "Lawson", "Mercer", "Novak", "Osborne", "Price", "Reed",
}

var streets = [...]string{
	"Maple Street", "Station Road", "Church Lane", "Lake View", "Mill Road", "Orchard Way", "Park Avenue",
	"River Street", "Chestnut Street", "Hill Road", "Market Square", "Garden Street", "Harbour Road", "Elm Drive",
}

// A place has a street address in a country that the shop sends to.
type place struct{ city, region, country, postal string }

var places = [...]place{
	{"Portland", "OR", "US", "97201"},
	{"Austin", "TX", "US", "78701"},
	{"Seattle", "WA", "US", "98101"},
	{"Brooklyn", "NY", "US", "11201"},
	{"Oakland", "CA", "US", "94601"},
	{"Boulder", "CO", "US", "80302"},
	{"Chicago", "IL", "US", "60614"},
	{"Boston", "MA", "US", "02116"},
	{"Miami", "FL", "US", "33130"},
	{"Berlin", "", "DE", "10115"},
	{"Hamburg", "", "DE", "20095"},
	{"München", "", "DE", "80331"},
	{"Paris", "", "FR", "75011"},
	{"Lyon", "", "FR", "69002"},
	{"London", "", "GB", "E2 7DJ"},
	{"Bristol", "", "GB", "BS1 4DJ"},
	{"Toronto", "ON", "CA", "M5V 2T6"},
	{"Wien", "", "AT", "1070"},
	{"Amsterdam", "", "NL", "1012 JS"},
	{"Melbourne", "", "AU", "3000"},
}

// The tax rates in basis points; a country's own has no region.
var taxRates = [...]struct {
	country, region string
	basisPoints     int64
}{
	{"US", "", 0},
	{"US", "CA", 725},
	{"US", "CO", 290},
	{"US", "FL", 600},
	{"US", "IL", 625},
	{"US", "MA", 625},
	{"US", "NY", 888},
	{"US", "OR", 0},
	{"US", "TX", 625},
	{"US", "WA", 650},
	{"US", "NJ", 663},
	{"US", "PA", 600},
	{"US", "OH", 575},
	{"US", "GA", 400},
	{"US", "MI", 600},
	{"US", "VA", 530},
	{"US", "AZ", 560},
	{"US", "MN", 688},
	{"CA", "", 500},
	{"CA", "ON", 1300},
	{"CA", "QC", 1498},
	{"DE", "", 1900},
	{"AT", "", 2000},
	{"FR", "", 2000},
	{"GB", "", 2000},
	{"NL", "", 2100},
	{"IT", "", 2200},
	{"ES", "", 2100},
	{"SE", "", 2500},
	{"CH", "", 810},
	{"AU", "", 1000},
	{"JP", "", 1000},
}

// The shipping rates; "*" is everywhere else, a free limit of 0 is none.
var shippingRates = [...]struct {
	method, country         string
	base, perItem, freeFrom int64
}{
	{"standard", "US", 499, 50, 7500},
	{"express", "US", 1499, 150, 0},
	{"standard", "CA", 899, 100, 12500},
	{"express", "CA", 2499, 250, 0},
	{"standard", "DE", 699, 75, 10000},
	{"express", "DE", 1999, 200, 0},
	{"standard", "FR", 749, 75, 10000},
	{"express", "FR", 1999, 200, 0},
	{"standard", "GB", 649, 75, 10000},
	{"express", "GB", 1899, 200, 0},
	{"standard", "*", 1499, 150, 0},
	{"express", "*", 3999, 400, 0},
}

var carriers = [...]string{"UPS", "DHL", "FedEx", "Royal Mail"}

// The words of reviews by rating: titles, then bodies with the noun in them.
var reviewTitles = [5][]string{
	{"Not for me", "Sent it back", "Disappointed"},
	{"Expected more", "So-so", "Looks better than it is"},
	{"Does its job", "Fine", "Good, with a catch"},
	{"Very good", "Glad I bought it", "Well made", "Nearly perfect"},
	{"Love it", "Exactly right", "Will buy again", "Beautiful", "The best I have had"},
}

var reviewBodies = [5][]string{
	{
		"The %s arrived with a crack. The refund was quick, at least.",
		"I tried to like the %s for two weeks and gave up.",
	},
	{
		"Smaller than I thought; read the measurements of the %s.",
		"Fine for the first month, then it showed its price.",
	},
	{
		"Nothing to complain about, nothing to write home about.",
		"Works as described, but the packaging was far too much.",
		"",
	},
	{
		"We use the %s nearly every day, without a sign of wear.",
		"The finish is lovely. One star less because delivery took a week.",
		"Bought the %s as a gift and then ordered again for myself.",
		"",
	},
	{
		"Of all I have bought this year, the %s made me happiest.",
		"Perfect in the hand, and it looks as good as in the pictures.",
		"My second order from this shop. They know what they are doing.",
		"Everybody who visits asks about the %s.",
		"",
	},
}
