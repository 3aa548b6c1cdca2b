//! Inventing names of artists.

use foldhash::{HashSet, HashSetExt};

use crate::kernel::SplitMix64;

/// Invents names whose slugs differ.
#[derive(Debug)]
pub(super) struct Names {
    slugs: HashSet<String>,
}

/// Words of one colour, so that a metal band is less likely to sound like a folk duo.
struct Palette {
    adjectives: [&'static str; 26],
    nouns: [&'static str; 26],
}

static CALM: Palette = Palette {
    adjectives: [
        "Velvet", "Quiet", "Amber", "Paper", "Silver", "Slow", "Pale", "Northern", "Winter", "Cotton",
        "Faint", "Distant", "Lunar", "Willow", "Misty", "Gentle", "Hollow", "Linen", "Early", "Glass",
        "Inland", "Tidal", "Woollen", "Birch", "Drowsy", "Tender",
    ],
    nouns: [
        "Harbour",
        "Meadow",
        "Lantern",
        "Estuary",
        "Orchard",
        "Window",
        "Heron",
        "Feather",
        "Candle",
        "Letter",
        "Valley",
        "Shoreline",
        "Cradle",
        "Garden",
        "Attic",
        "Ferry",
        "Sparrow",
        "Almanac",
        "Balcony",
        "Thicket",
        "Cottage",
        "Tide",
        "Pillow",
        "Snowfall",
        "Compass",
        "Verse",
    ],
};

static BRIGHT: Palette = Palette {
    adjectives: [
        "Neon",
        "Golden",
        "Electric",
        "Sugar",
        "Magnetic",
        "Coral",
        "Velour",
        "Citrus",
        "Lucky",
        "Plastic",
        "Summer",
        "Turquoise",
        "Polar",
        "Crystal",
        "Mango",
        "Radiant",
        "Satin",
        "Rapid",
        "Chrome",
        "Cosmic",
        "Tropic",
        "Vivid",
        "Breezy",
        "Copper",
        "Dizzy",
        "Infinite",
    ],
    nouns: [
        "Arcade",
        "Parade",
        "Boulevard",
        "Fountain",
        "Carousel",
        "Horizon",
        "Disco",
        "Comet",
        "Signal",
        "Cassette",
        "Terrace",
        "Flamingo",
        "Mirage",
        "Rocket",
        "Palace",
        "Saturday",
        "Terminal",
        "Voltage",
        "Marina",
        "Prism",
        "Tangerine",
        "Motel",
        "Kiosk",
        "Orbit",
        "Trampoline",
        "Postcard",
    ],
};

static DARK: Palette = Palette {
    adjectives: [
        "Iron", "Black", "Broken", "Burning", "Crooked", "Rusted", "Ashen", "Savage", "Bitter", "Hostile",
        "Granite", "Feral", "Scarlet", "Thorned", "Grave", "Sunken", "Obsidian", "Rabid", "Cinder", "Jagged",
        "Leaden", "Molten", "Nameless", "Sullen", "Wretched", "Coal",
    ],
    nouns: [
        "Anvil",
        "Raven",
        "Furnace",
        "Vulture",
        "Quarry",
        "Tribunal",
        "Serpent",
        "Trench",
        "Scythe",
        "Cathedral",
        "Gallows",
        "Warden",
        "Monolith",
        "Chapel",
        "Reactor",
        "Basilisk",
        "Siege",
        "Foundry",
        "Tomb",
        "Jackal",
        "Avalanche",
        "Crypt",
        "Hammer",
        "Oath",
        "Bastion",
        "Hound",
    ],
};

const ONSETS: [&str; 20] = [
    "b", "br", "d", "dr", "f", "gr", "h", "k", "l", "m", "n", "p", "r", "s", "sh", "st", "t", "th", "v", "z",
];
const VOWELS: [&str; 8] = ["a", "e", "i", "o", "u", "ae", "ei", "ou"];
const CODAS: [&str; 12] = ["", "", "", "", "l", "n", "r", "s", "m", "th", "nd", "rk"];

/// Tries at a fresh name before an old one is made longer.
const TRIES: u32 = 8;

impl Names {
    pub(super) fn new() -> Self {
        Self { slugs: HashSet::new() }
    }

    /// A name no earlier call has given, and its slug: lower case, words joined by hyphens.
    ///
    /// `energy`, 0 to 1, chooses the colour of the words.
    pub(super) fn invent(&mut self, energy: f64, random: &mut SplitMix64) -> (String, String) {
        let palette = match energy {
            low if low < 0.42 => &CALM,
            middle if middle < 0.78 => &BRIGHT,
            _ => &DARK,
        };
        let mut name = draft(palette, random);
        let mut tries = 1;
        loop {
            let slug = slug_of(&name);
            if self.slugs.insert(slug.clone()) {
                return (name, slug);
            }
            if tries < TRIES {
                name = draft(palette, random);
            } else {
                name = format!("{name} {}", invented_word(random));
            }
            tries += 1;
        }
    }
}

fn draft(palette: &Palette, random: &mut SplitMix64) -> String {
    match random.below(10) {
        0..=4 => format!("{} {}", pick(&palette.adjectives, random), pick(&palette.nouns, random)),
        5 => format!("The {} {}", pick(&palette.adjectives, random), plural_of(pick(&palette.nouns, random))),
        6 => invented_word(random),
        7 => format!("{} {}", invented_word(random), pick(&palette.nouns, random)),
        _ => format!("{} {}", invented_word(random), invented_word(random)),
    }
}

/// Two or three syllables with a capital.
fn invented_word(random: &mut SplitMix64) -> String {
    let mut word = String::new();
    for _ in 0..2 + random.below(2) {
        word.push_str(pick(&ONSETS, random));
        word.push_str(pick(&VOWELS, random));
    }
    word.push_str(pick(&CODAS, random));
    word[..1].make_ascii_uppercase();
    word
}

/// The plural of one of the nouns above.
fn plural_of(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if noun.ends_with("ss") => format!("{noun}es"),
        _ if noun.ends_with('s') => noun.to_owned(),
        _ => format!("{noun}s"),
    }
}

fn pick<'a>(words: &[&'a str], random: &mut SplitMix64) -> &'a str {
    words[random.below(words.len())]
}

/// INVARIANT: names are ASCII letters and single spaces, so lower case and hyphens make a slug.
fn slug_of(name: &str) -> String {
    name.to_ascii_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_follow_the_ending() {
        let plurals = ["Estuary", "Raven", "Compass", "Gallows", "Saturday"].map(plural_of);
        assert_eq!(plurals, ["Estuaries", "Ravens", "Compasses", "Gallows", "Saturdays"]);
    }

    #[test]
    fn a_hundred_thousand_names_differ_and_are_plain_words() {
        let mut names = Names::new();
        let mut random = SplitMix64::new(1);
        let mut slugs = HashSet::new();
        for _ in 0..100_000 {
            let energy = random.uniform();
            let (name, slug) = names.invent(energy, &mut random);
            assert!(
                name.split(' ').all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic()))
            );
            assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
            assert!(name.len() <= 80, "{name}");
            assert_eq!(slug, name.to_lowercase().replace(' ', "-"));
            assert!(slugs.insert(slug), "{name} comes twice");
        }
    }
}
