//! Looks over the messages of an Arrow file or stream before its reader does.
//!
//! That reader asks for as much memory as a message says it needs; a changed length could ask for
//! more than there is, and no fence catches that. So every length is held against the bytes that
//! are there first.

use super::Form;
use arrow_ipc::{RecordBatch, root_as_footer, root_as_message};
use arrow_schema::ArrowError;
use std::io::{Read, Seek, SeekFrom};

/// What stands before the length of a message in all but old files.
const CONTINUED: [u8; 4] = [0xff; 4];
/// Length of a footer, and the magic behind it.
const TAIL_BYTES: u64 = 10;
/// No compression makes more of a byte: zstd says 128 KiB of one byte in four.
const MOST_OF_A_BYTE: u64 = 32 << 10;

/// Checks every length against the size of the file; the place read from is lost.
///
/// # Errors
/// A length that cannot be, or what cannot be read.
pub fn look_over(from: &mut (impl Read + Seek), form: Form) -> Result<(), ArrowError> {
    let size = from.seek(SeekFrom::End(0))?;
    let mut file = Messages { from, size };
    if form == Form::ArrowFile {
        return file.of_footer();
    }
    let mut at = 0;
    while let Some(message) = file.message(at)? {
        at = file.inside(message.body, message.length)?;
        file.look_into(&message)?;
    }
    Ok(())
}

struct Messages<'f, F> {
    from: &'f mut F,
    size: u64,
}

/// A message: its metadata, and its body's place and length.
struct Message {
    metadata: Vec<u8>,
    body: u64,
    length: i64,
}

impl<F: Read + Seek> Messages<'_, F> {
    /// Where a part of the file ends, if it is inside.
    fn inside(&self, at: u64, length: i64) -> Result<u64, ArrowError> {
        let end = u64::try_from(length).ok().and_then(|length| at.checked_add(length));
        end.filter(|&end| end <= self.size).ok_or_else(|| damage("a part is longer than the file"))
    }

    fn bytes(&mut self, at: u64, length: i64) -> Result<Vec<u8>, ArrowError> {
        let end = self.inside(at, length)?;
        let mut bytes = vec![0; (end - at) as usize];
        self.from.seek(SeekFrom::Start(at))?;
        self.from.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn number<const N: usize>(&mut self, at: u64) -> Result<[u8; N], ArrowError> {
        let bytes = self.bytes(at, N as i64)?;
        bytes.first_chunk().copied().ok_or_else(|| damage("a number is cut off"))
    }

    /// The message at a place, `None` where the stream ends.
    fn message(&mut self, at: u64) -> Result<Option<Message>, ArrowError> {
        // A stream may end without a sign.
        if at + 4 > self.size {
            return Ok(None);
        }
        let (mut prefix, mut start) = (self.number(at)?, at + 4);
        if prefix == CONTINUED {
            (prefix, start) = (self.number(start)?, start + 4);
        }
        let length = i64::from(i32::from_le_bytes(prefix));
        if length == 0 {
            return Ok(None);
        }
        let metadata = self.bytes(start, length)?;
        let length = root_as_message(&metadata).map_err(|cause| damage(&cause.to_string()))?.bodyLength();
        Ok(Some(Message { body: start + metadata.len() as u64, metadata, length }))
    }

    /// The messages that a footer points at.
    fn of_footer(&mut self) -> Result<(), ArrowError> {
        let Some(end) = self.size.checked_sub(TAIL_BYTES) else { return Err(damage("no footer")) };
        let length = i64::from(i32::from_le_bytes(self.number(end)?));
        let start = u64::try_from(length).ok().and_then(|length| end.checked_sub(length));
        let footer = self.bytes(start.ok_or_else(|| damage("no footer"))?, length)?;
        let footer = root_as_footer(&footer).map_err(|cause| damage(&cause.to_string()))?;
        for block in [footer.dictionaries(), footer.recordBatches()].into_iter().flatten().flatten() {
            let at = u64::try_from(block.offset()).map_err(|_| damage("a message before the file"))?;
            let body = self.inside(at, i64::from(block.metaDataLength()))?;
            self.inside(body, block.bodyLength())?;
            // The reader takes the block's word for where the body is.
            if let Some(message) = self.message(at)? {
                self.look_into(&Message { body, length: block.bodyLength(), ..message })?;
            }
        }
        Ok(())
    }

    /// Checks the lengths that compressed parts of a body say they have without compression.
    fn look_into(&mut self, message: &Message) -> Result<(), ArrowError> {
        let root = root_as_message(&message.metadata).map_err(|cause| damage(&cause.to_string()))?;
        let dictionary = root.header_as_dictionary_batch().and_then(|batch| batch.data());
        let Some(batch) = root.header_as_record_batch().or(dictionary) else { return Ok(()) };
        let compressed = |batch: &RecordBatch<'_>| batch.compression().is_some();
        let buffers = batch.buffers().filter(|_| compressed(&batch));
        for buffer in buffers.into_iter().flatten().filter(|buffer| buffer.length() != 0) {
            let offset = u64::try_from(buffer.offset()).map_err(|_| damage("a buffer before its body"))?;
            let at = message.body.saturating_add(offset);
            let end = self.inside(at, buffer.length())?;
            // 0 and -1 are no lengths: nothing, and what is not compressed.
            let stated = u64::try_from(i64::from_le_bytes(self.number(at)?)).unwrap_or_default();
            if stated / MOST_OF_A_BYTE > end - at {
                return Err(damage("a buffer says that it is longer than it can be"));
            }
        }
        Ok(())
    }
}

fn damage(what: &str) -> ArrowError {
    ArrowError::ParseError(what.to_owned())
}
