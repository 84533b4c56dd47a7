//! Benchmarks: books and feeds of the seeded broker through `step`, and the service over HTTP, timed, each with
//! the digest of its result. `scripts/bench` runs them at full size; the tests run them tiny.

pub mod book;
pub mod machine;
pub mod measure;
pub mod service;

use plimsoll_engine::{Exec, Lane, Sequential};
use rayon::iter::{IntoParallelRefIterator, IntoParallelRefMutIterator, ParallelIterator};

/// The lanes of a bench on threads of their own.
pub enum Threads {
    /// One lane.
    One,
    /// As many threads as lanes.
    Pool(rayon::ThreadPool),
}

impl Threads {
    /// Threads for a number of lanes.
    ///
    /// # Panics
    /// When the system gives no threads.
    #[must_use]
    pub fn new(lanes: usize) -> Self {
        if lanes <= 1 {
            return Threads::One;
        }
        Threads::Pool(rayon::ThreadPoolBuilder::new().num_threads(lanes).build().expect("threads"))
    }
}

impl Exec for Threads {
    fn run(&self, lanes: &mut [Lane], work: &(dyn Fn(&mut Lane) + Sync)) {
        match self {
            Threads::One => Sequential.run(lanes, work),
            Threads::Pool(pool) => pool.install(|| lanes.par_iter_mut().for_each(work)),
        }
    }

    fn ask<T: Send>(&self, lanes: &[Lane], work: &(dyn Fn(&Lane) -> T + Sync)) -> Vec<T> {
        match self {
            Threads::One => Sequential.ask(lanes, work),
            Threads::Pool(pool) => pool.install(|| lanes.par_iter().map(work).collect()),
        }
    }
}
