//! The threads of the lanes: the core knows none.

use plimsoll_engine::{Exec, Lane, Sequential};
use rayon::iter::{IntoParallelRefIterator, IntoParallelRefMutIterator, ParallelIterator};

/// Runs lanes one after the other, or side by side on a pool.
pub enum Threads {
    /// One lane, or none to spare.
    One,
    /// As many threads as lanes.
    Pool(rayon::ThreadPool),
}

impl Threads {
    /// Threads for a number of lanes.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(lanes: usize) -> Result<Self, String> {
        if lanes <= 1 {
            return Ok(Threads::One);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(lanes).build();
        pool.map(Threads::Pool).map_err(|cause| format!("cannot start {lanes} lanes: {cause}"))
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
