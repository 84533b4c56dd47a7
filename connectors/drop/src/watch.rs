//! A watched folder: what is whole is read, submitted in batches, and set aside with its report.

use std::io;
use std::time::SystemTime;

use plimsoll_files::FileError;

use crate::config::Folder;
use crate::prepare::{Prepared, prepare};
use crate::report::{Fault, Faults, Outcome, Report, shown};
use crate::scan::{Found, Scan, Set};
use crate::shelf::{self, Shelf};
use crate::spool::{BATCH_BYTES, BATCH_EVENTS, Batch, Batches, STREAM_BYTES, STREAM_EVENTS};
use crate::{NotTaken, Receipt, Submit};

/// A folder under watch.
#[derive(Debug)]
pub struct Watch {
    folder: Folder,
    scan: Scan,
    job: Option<Job>,
    /// Whether the shelves are there and nothing is half moved.
    open: bool,
}

/// Files that are being submitted.
#[derive(Debug)]
struct Job {
    set: Set,
    report: Report,
    faults: Faults,
    batches: Option<Batches>,
    /// A batch that is not answered yet.
    pending: Option<Batch>,
}

impl Watch {
    /// Watches a folder.
    #[must_use]
    pub fn new(folder: Folder) -> Self {
        Watch { folder, scan: Scan::default(), job: None, open: false }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Takes whatever is whole, until nothing is or a submission is not taken; gives the reports of the files
    /// that were set aside. What was begun goes on at the next call.
    ///
    /// # Errors
    /// What the system says of the folder; the next call tries again.
    pub fn poll(&mut self, now: SystemTime, submit: &mut Submit<'_>) -> io::Result<Vec<Report>> {
        if !self.open {
            shelf::open(&self.folder.path)?;
            self.open = true;
        }
        let mut reports = Vec::new();
        loop {
            let mut job = match self.job.take() {
                Some(job) => job,
                None => match self.next(now)? {
                    Some(job) => job,
                    None => return Ok(reports),
                },
            };
            if job.go_on(submit)?.is_err() {
                self.job = Some(job);
                return Ok(reports);
            }
            reports.push(self.end(job, now)?);
        }
    }

    /// The next files that are whole, read and checked.
    fn next(&mut self, now: SystemTime) -> io::Result<Option<Job>> {
        loop {
            self.scan.look(&self.folder, now)?;
            match self.scan.next(&self.folder, now) {
                // Files that changed while they were read are not whole.
                Found::Whole(set) => return self.begin(set),
                Found::Spent(marker) => self.put(Shelf::Done, &[&marker], None)?,
                Found::Nothing => return Ok(None),
            }
        }
    }

    fn begin(&self, set: Set) -> io::Result<Option<Job>> {
        let started = shown(SystemTime::now());
        let (folder, given) = (self.folder.clone(), set.clone());
        // A table can break its reader: that ends a thread, not the process.
        let prepared = plimsoll_files::apart(set.name(), move || prepare(&folder, &given));
        let prepared = match prepared {
            Ok(prepared) => prepared?,
            Err(broken @ FileError::Damaged { .. }) => Some(Prepared::broken(set.name(), &broken)),
            Err(cause) => return Err(io::Error::other(cause)),
        };
        let Some(Prepared { taken, rows, faults, spool }) = prepared else { return Ok(None) };
        let bad = faults.all > 0;
        let (most, bytes) =
            if self.folder.stream { (STREAM_EVENTS, STREAM_BYTES) } else { (BATCH_EVENTS, BATCH_BYTES) };
        let batches = spool.filter(|_| !bad).map(|spool| spool.batches(most, bytes)).transpose()?;
        let report = Report {
            folder: self.folder.name.clone(),
            outcome: if bad { Outcome::Bad } else { Outcome::Done },
            files: taken,
            started,
            ended: String::new(),
            rows,
            events: 0,
            accepted: 0,
            duplicates: 0,
            refused: 0,
            faults: faults.all,
            details: Vec::new(),
        };
        Ok(Some(Job { set, report, faults, batches, pending: None }))
    }

    /// Sets the files of a job aside. Where that fails they are taken again, which changes nothing.
    fn end(&mut self, job: Job, now: SystemTime) -> io::Result<Report> {
        let Job { set, mut report, faults, .. } = job;
        report.ended = shown(now.max(SystemTime::now()));
        report.details = faults.first;
        let shelf = if report.outcome == Outcome::Done { Shelf::Done } else { Shelf::Bad };
        let quiet = self.folder.stream && report.faults + report.refused == 0;
        let told = if quiet { None } else { Some(serde_json::to_value(&report)?) };
        let names: Vec<&str> = set.files.iter().map(|(_, name, _)| name.as_str()).collect();
        self.put(shelf, &names, told)?;
        Ok(report)
    }

    fn put(&mut self, shelf: Shelf, names: &[&str], report: Option<serde_json::Value>) -> io::Result<()> {
        // Where this fails in the middle, it is ended before anything else is begun.
        self.open = false;
        shelf::put(&self.folder.path, shelf, names, report)?;
        self.open = true;
        Ok(())
    }
}

impl Job {
    /// Submits batch after batch until none is left, or one is not taken.
    fn go_on(&mut self, submit: &mut Submit<'_>) -> io::Result<Result<(), NotTaken>> {
        let Some(batches) = &mut self.batches else { return Ok(Ok(())) };
        loop {
            if self.pending.is_none() {
                self.pending = batches.next_batch()?;
            }
            let Some(batch) = &self.pending else { return Ok(Ok(())) };
            match submit(batch.body.clone()) {
                Ok(receipt) => {
                    self.report.events += batch.origins.len() as u64;
                    count(&mut self.report, &mut self.faults, &self.set, batch, receipt);
                    self.pending = None;
                }
                Err(not_taken) => return Ok(Err(not_taken)),
            }
        }
    }
}

fn count(report: &mut Report, faults: &mut Faults, set: &Set, batch: &Batch, receipt: Receipt) {
    report.accepted += receipt.accepted;
    report.duplicates += receipt.duplicates;
    report.refused += receipt.refused.len() as u64;
    for refused in receipt.refused {
        let origin = batch.origins.get((refused.line as usize).saturating_sub(1));
        let (file, line) = origin.copied().unwrap_or_default();
        faults.add(Fault {
            file: set.files[file as usize].1.clone(),
            line: Some(line),
            column: None,
            code: refused.code,
            detail: refused.detail,
        });
    }
}
