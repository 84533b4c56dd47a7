//! The events of a file between checking and submitting: on disk, each with the place it came from.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Events of a batch, at most.
pub const BATCH_EVENTS: usize = 1_000;
/// Bytes of a batch, at most, unless one event alone has more.
pub const BATCH_BYTES: usize = 4 << 20;
/// The same for streams: a snapshot of the market is one batch, and with it one epoch.
pub const STREAM_EVENTS: usize = 65_536;
/// The same for streams.
pub const STREAM_BYTES: usize = 16 << 20;

/// File and line an event came from.
pub type Origin = (u32, u64);

/// Events that are being put down.
pub struct Spool {
    out: BufWriter<File>,
    pub events: u64,
}

impl Spool {
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Spool { out: BufWriter::new(file), events: 0 })
    }

    pub fn add(&mut self, (file, line): Origin, event: &[u8]) -> io::Result<()> {
        let length = u32::try_from(event.len()).map_err(io::Error::other)?;
        self.out.write_all(&file.to_le_bytes())?;
        self.out.write_all(&line.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(event)?;
        self.events += 1;
        Ok(())
    }

    /// The events in batches of at most so many events and bytes.
    pub fn batches(self, events: usize, bytes: usize) -> io::Result<Batches> {
        let mut file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Batches { from: BufReader::new(file), left: self.events, held: None, events, bytes })
    }
}

/// Batches of events, one after the other.
#[derive(Debug)]
pub struct Batches {
    from: BufReader<File>,
    left: u64,
    /// An event that had no room in the batch before.
    held: Option<(Origin, Vec<u8>)>,
    events: usize,
    bytes: usize,
}

/// Lines of events, and where each came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub body: Vec<u8>,
    pub origins: Vec<Origin>,
}

impl Batches {
    /// The next batch; none at the end.
    pub fn next_batch(&mut self) -> io::Result<Option<Batch>> {
        let mut batch = Batch::default();
        while batch.origins.len() < self.events {
            let next = match self.held.take() {
                Some(held) => Some(held),
                None => self.next_event()?,
            };
            let Some((origin, event)) = next else { break };
            if !batch.origins.is_empty() && batch.body.len() + event.len() + 1 > self.bytes {
                self.held = Some((origin, event));
                break;
            }
            batch.body.extend_from_slice(&event);
            batch.body.push(b'\n');
            batch.origins.push(origin);
        }
        Ok((!batch.origins.is_empty()).then_some(batch))
    }

    fn next_event(&mut self) -> io::Result<Option<(Origin, Vec<u8>)>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let (mut file, mut line, mut length) = ([0; 4], [0; 8], [0; 4]);
        self.from.read_exact(&mut file)?;
        self.from.read_exact(&mut line)?;
        self.from.read_exact(&mut length)?;
        let mut event = vec![0; u32::from_le_bytes(length) as usize];
        self.from.read_exact(&mut event)?;
        Ok(Some(((u32::from_le_bytes(file), u64::from_le_bytes(line)), event)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of the batches that so many events of so many bytes come in.
    fn sizes(count: u64, length: usize, events: usize, bytes: usize) -> Vec<usize> {
        let path =
            std::env::temp_dir().join(format!("plimsoll-spool-{}-{count}-{length}", std::process::id()));
        let mut spool = Spool::create(&path).expect("a spool");
        (0..count).for_each(|n| spool.add((0, n + 1), &vec![b'x'; length]).expect("added"));
        let mut batches = spool.batches(events, bytes).expect("batches");
        let (mut sizes, mut next) = (Vec::new(), 1);
        while let Some(batch) = batches.next_batch().expect("a batch") {
            assert!(batch.origins.iter().map(|&(_, line)| line).eq(next..next + batch.origins.len() as u64));
            assert_eq!(batch.body.len(), batch.origins.len() * (length + 1));
            next += batch.origins.len() as u64;
            sizes.push(batch.origins.len());
        }
        std::fs::remove_file(&path).expect("removed");
        sizes
    }

    #[test]
    fn batches_keep_both_bounds() {
        assert_eq!(sizes(0, 9, 1_000, 10_000), [0; 0]);
        assert_eq!(sizes(999, 9, 1_000, 100_000), [999]);
        assert_eq!(sizes(1_000, 9, 1_000, 100_000), [1_000]);
        assert_eq!(sizes(1_001, 9, 1_000, 100_000), [1_000, 1]);
        assert_eq!(sizes(10, 9, 1_000, 100), [10]);
        assert_eq!(sizes(10, 9, 1_000, 99), [9, 1]);
        assert_eq!(sizes(10, 9, 1_000, 101), [10]);
        // One that is longer than a batch is one.
        assert_eq!(sizes(3, 200, 1_000, 100), [1, 1, 1]);
    }
}
