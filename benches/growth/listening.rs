//! Invented listening.

/// Sorts of music, each with popular and unpopular artists alike.
const N_SCENES: u32 = 256;
/// Scenes next to each other.
const SCENES_OF_A_GENRE: u32 = 8;

/// Who has heard what, in order of both: about `n_items_of_a_user` artists each, some listeners few and some many, most of the
/// scenes that a listener loves.
pub(crate) fn pairs(n_users: u32, n_items: u32, n_items_of_a_user: u32) -> Vec<(u32, u32)> {
    let mut draw = Draw(1);
    let catalogue = Catalogue::new(n_items, &mut draw);
    let mut pairs = Vec::new();
    let mut own = Vec::new();
    for user in 0..n_users {
        let loved = [0; 4].map(|_| draw.below(N_SCENES));
        let at_most = 1 + draw.below(4 * n_items_of_a_user);
        let n_own = 1 + draw.below(at_most) as usize;
        own.clear();
        // What is drawn twice is drawn anew a few times: there may not be as many different ones.
        for _ in 0..4 {
            own.extend((own.len()..n_own).map(|_| catalogue.draw(loved, &mut draw)));
            own.sort_unstable();
            own.dedup();
        }
        pairs.extend(own.iter().map(|&item| (user, item)));
    }
    pairs
}

/// Artists, whose popularity falls with their rank r as (r + 20) to the -0.85.
struct Catalogue {
    /// Popularity of all up to each rank.
    cumulated: Vec<f64>,
    /// Of each rank. They do not come in order of popularity, which would lay the rows that are read most side by side.
    ids: Vec<u32>,
}

impl Catalogue {
    fn new(n_items: u32, draw: &mut Draw) -> Self {
        let add = |sum: &mut f64, rank: u32| {
            *sum += (f64::from(rank) + 20.0).powf(-0.85);
            Some(*sum)
        };
        let mut ids: Vec<u32> = (0..n_items).collect();
        for last in (1..n_items).rev() {
            ids.swap(last as usize, draw.below(last + 1) as usize);
        }
        Self { cumulated: (0..n_items).scan(0.0, add).collect(), ids }
    }

    fn draw(&self, loved: [u32; 4], draw: &mut Draw) -> u32 {
        let all = self.cumulated.last().copied().unwrap_or_default();
        let share = all * draw.fraction();
        let rank = self.cumulated.partition_point(|&sum| sum <= share);
        let rank = u32::try_from(rank.min(self.ids.len() - 1)).expect("a rank of few");
        // Some are loved more than others.
        let scene = loved[[0, 0, 0, 0, 1, 1, 1, 2, 2, 3][draw.below(10) as usize]];
        let scene = match draw.below(20) {
            0..=10 => scene,
            11..=16 => scene - scene % SCENES_OF_A_GENRE + draw.below(SCENES_OF_A_GENRE),
            _ => rank % N_SCENES,
        };
        let of_scene = rank - rank % N_SCENES + scene;
        let id = self.ids.get(of_scene as usize);
        id.copied().unwrap_or(self.ids[rank as usize])
    }
}

/// Steele, Lea & Flood's `SplitMix64`.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        u32::try_from((u128::from(self.next()) * u128::from(bound)) >> 64).expect("below a u32")
    }

    /// At least 0, below 1.
    fn fraction(&mut self) -> f64 {
        f64::from(self.below(u32::MAX)) / f64::from(u32::MAX)
    }
}
