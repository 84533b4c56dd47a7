//! The rows of a broker's file: CSV in UTF-8 or GB18030, or Parquet.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use encoding_rs::Encoding;
use plimsoll_files::{FileError, LINE_BYTES, TextTable};

use crate::config::Part;
use crate::map::Flaw;

/// The cell of a row by the place of its column among those of the part.
pub type Cells<'a> = dyn Fn(usize) -> Option<&'a str> + 'a;

/// What is wrong with a file, and at which line.
pub type Wrong = (Option<u64>, Flaw);

fn wrong(line: Option<u64>, code: &'static str, detail: String) -> Wrong {
    (line, Flaw { column: None, code, detail })
}

/// Hands every row on to `take` with its number: a line, or the row of a table.
///
/// # Errors
/// Everything that keeps it from being read on.
pub fn rows(path: &Path, part: &Part, take: &mut dyn FnMut(u64, &Cells<'_>)) -> Result<(), Vec<Wrong>> {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
        parquet(path, part, take)
    } else {
        csv(path, part, take)
    }
}

/// Where the columns of a part are among those of a file.
fn places<'n>(part: &Part, names: impl Iterator<Item = &'n str>) -> Result<Vec<usize>, Vec<Wrong>> {
    let names: Vec<&str> = names.map(str::trim).collect();
    let mut faults = Vec::new();
    let places = part.columns.iter().map(|column| {
        let mut found = (0..names.len()).filter(|&at| names[at] == column.name);
        let (place, code, detail) = match (found.next(), found.next()) {
            (Some(place), None) => return place,
            (None, _) => (0, "missing_column", "there is no such column"),
            (Some(place), Some(_)) => (place, "repeated_column", "two columns have this name"),
        };
        faults.push((None, Flaw { column: Some(column.name.clone()), code, detail: detail.into() }));
        place
    });
    let places = places.collect();
    if faults.is_empty() { Ok(places) } else { Err(faults) }
}

fn csv(path: &Path, part: &Part, take: &mut dyn FnMut(u64, &Cells<'_>)) -> Result<(), Vec<Wrong>> {
    let file = File::open(path).map_err(|cause| vec![wrong(None, "unreadable", cause.to_string())])?;
    let mut text = Decoded::new(BufReader::new(file), part.form.encoding);
    for _ in 0..part.form.skip {
        text.next_line().map_err(|cause| vec![of_text(&cause)])?;
    }
    text.at = text.line.len();
    let skipped = text.lines;
    // Rows of another length are found below, where their lines are known.
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(part.form.delimiter)
        .has_headers(part.form.header)
        .flexible(true)
        .from_reader(text);
    let of_csv = |cause: csv::Error| match cause.kind() {
        csv::ErrorKind::Io(cause) => vec![of_text(cause)],
        _ => vec![wrong(None, "malformed", cause.to_string())],
    };
    let names: Vec<String> = match reader.headers().map_err(of_csv)? {
        header if part.form.header => header.iter().map(ToOwned::to_owned).collect(),
        first => (1..=first.len()).map(|number| number.to_string()).collect(),
    };
    let places = places(part, names.iter().map(String::as_str))?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(of_csv)? {
        // Counted from its end: the reader counts blank lines before a record as its own.
        let inside = record.as_slice().bytes().filter(|&byte| byte == b'\n').count() as u64;
        let line = skipped + reader.position().line() - 1 - inside;
        if record.len() != names.len() {
            let detail = format!("{} columns, {} in the first row", record.len(), names.len());
            return Err(vec![wrong(Some(line), "malformed", detail)]);
        }
        take(line, &|at| record.get(places[at]));
    }
    Ok(())
}

fn of_text(cause: &io::Error) -> Wrong {
    match cause.get_ref().and_then(|cause| cause.downcast_ref::<BadLine>()) {
        Some(bad) => wrong(Some(bad.line), "encoding", cause.to_string()),
        None => wrong(None, "unreadable", cause.to_string()),
    }
}

/// A line that is not in the encoding of its file, or has no end.
#[derive(Debug)]
struct BadLine {
    line: u64,
    what: String,
}

impl std::fmt::Display for BadLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for BadLine {}

/// Text in UTF-8 of what comes in another encoding, line by line, each ended by a line feed alone: no character
/// of GB18030 holds one.
struct Decoded<R> {
    from: R,
    encoding: &'static Encoding,
    raw: Vec<u8>,
    line: String,
    at: usize,
    lines: u64,
}

impl<R: BufRead> Decoded<R> {
    fn new(from: R, encoding: &'static Encoding) -> Self {
        Decoded { from, encoding, raw: Vec::new(), line: String::new(), at: 0, lines: 0 }
    }

    fn next_line(&mut self) -> io::Result<()> {
        self.raw.clear();
        self.from.by_ref().take(LINE_BYTES as u64).read_until(b'\n', &mut self.raw)?;
        self.lines += u64::from(!self.raw.is_empty());
        let bad = |what| io::Error::other(BadLine { line: self.lines, what });
        if self.raw.len() == LINE_BYTES {
            return Err(bad(format!("the line is longer than {LINE_BYTES} bytes")));
        }
        let raw = match (self.lines, &self.raw[..]) {
            // The mark that some programs put before UTF-8.
            (1, [0xef, 0xbb, 0xbf, rest @ ..]) => rest,
            (_, raw) => raw,
        };
        let text = self.encoding.decode_without_bom_handling_and_without_replacement(raw);
        let text = text.ok_or_else(|| bad(format!("the line is not {}", self.encoding.name())))?;
        self.line.clear();
        self.line.push_str(text.trim_end_matches(['\r', '\n']));
        if !raw.is_empty() {
            self.line.push('\n');
        }
        self.at = 0;
        Ok(())
    }
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() {
            self.next_line()?;
        }
        let rest = &self.line.as_bytes()[self.at..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

fn parquet(path: &Path, part: &Part, take: &mut dyn FnMut(u64, &Cells<'_>)) -> Result<(), Vec<Wrong>> {
    let fail = |cause: FileError| vec![wrong(None, "unreadable", cause.to_string())];
    let mut table = TextTable::open(path).map_err(fail)?;
    let places = places(part, table.names())?;
    let floating = part
        .columns
        .iter()
        .zip(&places)
        .filter(|(column, place)| column.float_places.is_none() && table.is_floating(**place));
    let floating = floating.map(|(column, _)| {
        let detail = "the column is floating; float_places says how many decimals count".to_owned();
        (None, Flaw { column: Some(column.name.clone()), code: "floating", detail })
    });
    let floating: Vec<Wrong> = floating.collect();
    if !floating.is_empty() {
        return Err(floating);
    }
    while let Some(rows) = table.next_rows(&places).map_err(fail)? {
        (0..rows.rows()).for_each(|row| take(rows.number(row), &|at| rows.text(at, row)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{GB18030, UTF_8};

    fn decoded(bytes: &[u8], encoding: &'static Encoding) -> Result<String, u64> {
        let mut text = String::new();
        let read = Decoded::new(bytes, encoding).read_to_string(&mut text);
        read.map(|_| text).map_err(|cause| {
            let bad = cause.get_ref().and_then(|cause| cause.downcast_ref::<BadLine>());
            bad.expect("a bad line").line
        })
    }

    #[test]
    fn texts_are_read_in_their_encoding_or_the_line_is_named() {
        let (gbk, _, _) = GB18030.encode("资金账号,余额\n张三|㐀,1\n");
        assert_eq!(decoded(&gbk, GB18030).as_deref(), Ok("资金账号,余额\n张三|㐀,1\n"));
        assert_eq!(decoded(&gbk, UTF_8), Err(1));
        assert_eq!(decoded(b"a\nb\n\xff\xff", GB18030), Err(3));
        assert_eq!(decoded("\u{feff}a\r\n\u{feff}".as_bytes(), UTF_8).as_deref(), Ok("a\n\u{feff}\n"));
        assert_eq!(decoded(b"", UTF_8).as_deref(), Ok(""));
    }
}
