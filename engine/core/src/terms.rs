//! The terms accounts are under: a client class and the lines of an agreement, each combination
//! once, so that an epoch over every account resolves lines once per combination.

use std::collections::BTreeMap;

use crate::effect::Tier;
use crate::input::{ClientClass, Line};
use crate::policy::{Lines, Policy};
use crate::tiers::Stay;

/// Lines an agreement states, in the order of [`crate::policy::LineName`].
type Stated = [Option<Line>; 7];

/// The terms of a lane's accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    places: BTreeMap<(ClientClass, Stated), u32>,
    all: Vec<(ClientClass, Stated)>,
}

impl Terms {
    /// The place of a class and of the lines of an agreement.
    pub(crate) fn place(&mut self, class: ClientClass, stated: &Stated) -> u32 {
        let Terms { places, all } = self;
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

    /// What keeps each tier, place by place.
    pub(crate) fn stays(&self, policy: &Policy) -> Vec<[Stay; Tier::ALL.len()]> {
        let stays = |place| {
            let lines = self.lines(place, policy);
            std::array::from_fn(|tier| Stay::of(&lines, Tier::ALL[tier]))
        };
        (0..self.all.len() as u32).map(stays).collect()
    }
}
