//! Lines under zstd, packed by a thread of its own while more of them come.

use std::sync::mpsc::{Receiver, Sender, channel};

/// Lines are small or many: the first level is a third of the cost of the default, and the dictionary
/// makes an epoch of one event as small as its share of a large one.
const LEVEL: i32 = 1;
/// What events and effects begin like.
const DICTIONARY: &[u8] = include_bytes!("dictionary.ndjson");
/// Bytes of lines that are packed apart from those that follow, as a frame of their own: enough to do
/// without the dictionary, which only slows a long one.
const FRAME: usize = 128 << 10;

/// Lines as they stand in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Their bytes before they were packed.
    pub len: usize,
    /// Frames, one after the other.
    pub frames: Vec<u8>,
}

/// Packs what it is given.
struct Packer {
    short: zstd::bulk::Compressor<'static>,
    full: zstd::bulk::Compressor<'static>,
}

impl Packer {
    fn new() -> Self {
        let short = zstd::bulk::Compressor::with_dictionary(LEVEL, DICTIONARY).expect("a dictionary");
        let full = zstd::bulk::Compressor::new(LEVEL).expect("memory to pack with");
        Packer { short, full }
    }

    /// A frame.
    fn frame(&mut self, lines: &[u8]) -> Vec<u8> {
        let packer = if lines.len() < FRAME { &mut self.short } else { &mut self.full };
        packer.compress(lines).expect("memory for what is packed")
    }
}

/// Expands what was packed.
pub(crate) struct Expander(zstd::bulk::Decompressor<'static>);

impl Expander {
    /// # Panics
    /// Where the dictionary of the code is none.
    pub(crate) fn new() -> Self {
        Expander(zstd::bulk::Decompressor::with_dictionary(DICTIONARY).expect("a dictionary"))
    }

    /// The lines of frames, which must be so many bytes.
    pub(crate) fn lines(&mut self, frames: &[u8], len: usize) -> Option<Vec<u8>> {
        self.0.decompress(frames, len).ok().filter(|lines| lines.len() == len)
    }
}

/// Packs lines while they come: full frames on the other thread, the rest here.
pub(crate) struct Packing {
    own: Packer,
    /// Lines that are in no frame yet.
    rest: Vec<u8>,
    /// Bytes that were handed over.
    handed: usize,
    full: Sender<Vec<u8>>,
    frames: Receiver<Vec<u8>>,
    /// Frames that are still to come back.
    waiting: usize,
}

impl Packing {
    /// # Panics
    /// Where the system gives no thread.
    pub(crate) fn new() -> Self {
        let ((full, taken), (done, frames)) = (channel::<Vec<u8>>(), channel());
        let mut packer = Packer::new();
        let work = move || {
            // It ends when the log is closed.
            while let Ok(lines) = taken.recv() {
                if done.send(packer.frame(&lines)).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("packer".to_owned()).spawn(work).expect("a thread");
        Packing { own: Packer::new(), rest: Vec::new(), handed: 0, full, frames, waiting: 0 }
    }

    /// Adds lines.
    pub(crate) fn add(&mut self, lines: &[u8]) {
        self.rest.extend_from_slice(lines);
        if self.rest.len() >= FRAME {
            let full = std::mem::replace(&mut self.rest, Vec::with_capacity(FRAME + (4 << 10)));
            self.hand(full);
        }
    }

    fn hand(&mut self, lines: Vec<u8>) {
        (self.handed, self.waiting) = (self.handed + lines.len(), self.waiting + 1);
        self.full.send(lines).expect("the packer waits");
    }

    /// All that was added since the last time.
    ///
    /// # Panics
    /// Where the packer is gone.
    pub(crate) fn take(&mut self) -> Packed {
        let last = if self.rest.is_empty() { Vec::new() } else { self.own.frame(&self.rest) };
        let len = self.handed + self.rest.len();
        self.rest.clear();
        self.handed = 0;
        let mut frames = Vec::new();
        for _ in 0..std::mem::take(&mut self.waiting) {
            frames.extend(self.frames.recv().expect("the packer packs"));
        }
        frames.extend(last);
        Packed { len, frames }
    }

    /// Packs lines that are all there, half of them on the other thread.
    ///
    /// # Panics
    /// Where others were added and not taken.
    pub(crate) fn packed(&mut self, lines: &[u8]) -> Packed {
        assert_eq!((self.handed, self.rest.len()), (0, 0), "one after the other");
        let (here, there) = lines.split_at(if lines.len() > FRAME { lines.len() / 2 } else { lines.len() });
        if !there.is_empty() {
            self.hand(there.to_vec());
        }
        let mut frames = if here.is_empty() { Vec::new() } else { self.own.frame(here) };
        frames.extend(self.take().frames);
        Packed { len: lines.len(), frames }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_whatever_way_they_were_packed() {
        let (mut packing, mut expander) = (Packing::new(), Expander::new());
        let line = |k: usize| format!("{{\"v\":1,\"id\":\"e{k}\",\"price\":\"{}\"}}\n", k * k);
        for lines in [0, 1, 2, 1_000, 3_000, 20_000] {
            let all: String = (0..lines).map(line).collect();
            all.split_inclusive('\n').for_each(|line| packing.add(line.as_bytes()));
            let [added, whole] = [packing.take(), packing.packed(all.as_bytes())];
            for packed in [added, whole] {
                assert_eq!(packed.len, all.len());
                assert_eq!(expander.lines(&packed.frames, all.len()).as_deref(), Some(all.as_bytes()));
                assert!(expander.lines(&packed.frames, all.len() + 1).is_none());
                assert!(lines < 1_000 || packed.frames.len() < all.len() / 3, "{}", packed.frames.len());
            }
        }
    }
}
