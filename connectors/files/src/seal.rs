//! A checksum over a whole Parquet file.
//!
//! Parquet pages have room for checksums, but the writer of the `parquet` crate leaves them out,
//! so a changed byte in a page may come back as another price. A file of ours carries the CRC-32
//! of all its bytes where the footer names its writer, counted with zeros in the checksum's own
//! place; the reader checks it before it hands out a row. A program that rewrites a table copies
//! its metadata but names itself as the writer: its files have no seal, and are read with the
//! checks it gave them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// What stands before the eight hexadecimal digits of the checksum.
const BEGINNING: &str = "(build plimsoll-crc32:";
const DIGITS: usize = 8;
/// The writer's name before the checksum is known.
pub const OPEN_NAME: &str =
    concat!("plimsoll version ", env!("CARGO_PKG_VERSION"), " (build plimsoll-crc32:00000000)");
/// The length of the footer and the last magic.
const TAIL_BYTES: u64 = 8;
const BUFFER_BYTES: usize = 1 << 18;

/// Puts the checksum into a file that was written with [`OPEN_NAME`].
pub fn close(path: &Path) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let Some((place, _)) = find(&mut file)? else { return Ok(()) };
    let sum = checksum(&mut file, place)?;
    file.seek(SeekFrom::Start(place))?;
    file.write_all(format!("{sum:08x}").as_bytes())
}

/// Whether the bytes are those that were sealed; a file without a seal is taken as it is.
pub fn is_intact(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let Some((place, stated)) = find(file)? else { return Ok(true) };
    let sum = checksum(file, place)?;
    Ok(stated == format!("{sum:08x}").as_bytes())
}

/// The place of the checksum's digits and what stands there.
fn find(file: &mut (impl Read + Seek)) -> io::Result<Option<(u64, [u8; DIGITS])>> {
    let size = file.seek(SeekFrom::End(0))?;
    if size < TAIL_BYTES {
        return Ok(None);
    }
    let mut tail = [0; TAIL_BYTES as usize];
    file.seek(SeekFrom::Start(size - TAIL_BYTES))?;
    file.read_exact(&mut tail)?;
    let length = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    let Some(start) = (size - TAIL_BYTES).checked_sub(length) else { return Ok(None) };
    file.seek(SeekFrom::Start(start))?;
    let mut footer = Vec::new();
    file.by_ref().take(length).read_to_end(&mut footer)?;
    let Some(at) = memchr::memmem::rfind(&footer, BEGINNING.as_bytes()) else { return Ok(None) };
    let digits = at + BEGINNING.len();
    let stated = footer.get(digits..digits + DIGITS).and_then(|digits| digits.try_into().ok());
    Ok(stated.map(|stated| (start + digits as u64, stated)))
}

/// The checksum of all bytes, with zeros for the digits at `place`.
fn checksum(file: &mut (impl Read + Seek), place: u64) -> io::Result<u32> {
    let mut sum = crc32fast::Hasher::new();
    file.seek(SeekFrom::Start(0))?;
    feed(&mut file.by_ref().take(place), &mut sum)?;
    sum.update(&[b'0'; DIGITS]);
    file.seek(SeekFrom::Start(place + DIGITS as u64))?;
    feed(file, &mut sum)?;
    Ok(sum.finalize())
}

fn feed(from: &mut impl Read, sum: &mut crc32fast::Hasher) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            read => sum.update(&buffer[..read]),
        }
    }
}
