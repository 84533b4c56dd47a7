//! The terms accounts are under: a client class and the lines of an agreement, each combination
//! once, so that an epoch over every account resolves lines once per combination.

use std::collections::BTreeMap;

use crate::effect::Tier;
use crate::input::{ClientClass, Line};
use crate::policy::{Lines, Policy};
use crate::tiers::Stay;

/// The lines of one combination of terms, and what keeps each tier under them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ladder {
    pub lines: Lines,
    pub stays: [Stay; Tier::ALL.len()],
}

/// Lines an agreement states, in the order of [`crate::policy::LineName`].
type Stated = [Option<Line>; 7];

/// The terms of a lane's accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    places: BTreeMap<(ClientClass, Stated), u32>,
    all: Vec<(ClientClass, Stated)>,
    /// Of the first so many combinations, under the policy in force.
    ladders: Vec<Ladder>,
}

impl Terms {
    /// The place of a class and of the lines of an agreement.
    pub(crate) fn place(&mut self, class: ClientClass, stated: &Stated) -> u32 {
        let Terms { places, all, .. } = self;
        *places.entry((class, *stated)).or_insert_with(|| {
            all.push((class, *stated));
            all.len() as u32 - 1
        })
    }

    /// How many combinations are kept.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The lines in force at a place.
    pub(crate) fn lines(&self, place: u32, policy: &Policy) -> Lines {
        let (class, stated) = &self.all[place as usize];
        policy.lines_of(*class).with(stated)
    }

    /// The lines in force at every place.
    pub(crate) fn all(&self, policy: &Policy) -> Vec<Lines> {
        (0..self.all.len() as u32).map(|place| self.lines(place, policy)).collect()
    }

    /// The policy is about to change: what was worked out under it counts no more.
    pub(crate) fn forget_policy(&mut self) {
        self.ladders.clear();
    }

    /// Works out the ladders of the combinations that came since it last did.
    pub(crate) fn climb(&mut self, policy: &Policy) {
        for place in self.ladders.len()..self.all.len() {
            let lines = self.lines(place as u32, policy);
            let stays = std::array::from_fn(|tier| Stay::of(&lines, Tier::ALL[tier]));
            self.ladders.push(Ladder { lines, stays });
        }
    }

    /// The ladder of a place that was [climbed](Terms::climb).
    pub(crate) fn ladder(&self, place: u32) -> &Ladder {
        &self.ladders[place as usize]
    }
}
