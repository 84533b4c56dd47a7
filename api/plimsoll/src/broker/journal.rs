//! How far a broker has come: a file of lines, so that another process goes on where it ended.
//!
//! The first line says whose it is and its first day, `open` that its accounts are in, a date with a number
//! how many beats of that day were answered, a date with `over` that all of it was.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use plimsoll_engine::num::Date;
use plimsoll_wire::time::{parse_date, write_date};

/// What stands in a journal.
pub struct Journal {
    file: Option<File>,
    first_day: Date,
    open: bool,
    days: Vec<(Date, Told)>,
}

/// How much of a day was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// So many beats.
    Beats(usize),
    /// All of it.
    Over,
}

/// A date as text.
pub fn text(date: Date) -> String {
    let mut out = Vec::new();
    write_date(&mut out, date);
    String::from_utf8_lossy(&out).into_owned()
}

impl Journal {
    /// The journal of a broker; without a file, or where there is none yet, it begins today.
    ///
    /// # Errors
    /// A file that cannot be read or written, or is another broker's.
    pub fn open(path: Option<&Path>, who: &str, today: Date) -> Result<Self, String> {
        let mut journal = Journal { file: None, first_day: today, open: false, days: Vec::new() };
        let Some(path) = path else { return Ok(journal) };
        let fail = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        match std::fs::read_to_string(path) {
            Ok(text) => journal.read(&text, who).map_err(|what| fail(&what))?,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
            Err(cause) => return Err(fail(&cause)),
        }
        // A line that was cut off by the end of the process goes with the old file.
        let fresh = path.with_extension("new");
        let mut file = File::create(&fresh).map_err(|cause| fail(&cause))?;
        file.write_all(journal.lines(who).as_bytes()).map_err(|cause| fail(&cause))?;
        std::fs::rename(&fresh, path).map_err(|cause| fail(&cause))?;
        journal.file = Some(file);
        Ok(journal)
    }

    fn read(&mut self, text: &str, who: &str) -> Result<(), String> {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole.lines();
        let Some(first) = lines.next() else { return Ok(()) };
        let day = first.strip_prefix(who).and_then(|rest| parse_date(rest.trim_start()));
        self.first_day = day.ok_or_else(|| format!("the journal of another broker: {first}, not {who}"))?;
        for line in lines {
            if line == "open" {
                self.open = true;
                continue;
            }
            let (date, told) = day_of(line).ok_or_else(|| format!("no line of a journal: {line}"))?;
            self.note(date, told);
        }
        Ok(())
    }

    fn lines(&self, who: &str) -> String {
        let mut lines = format!("{who} {}\n", text(self.first_day));
        if self.open {
            lines.push_str("open\n");
        }
        self.days.iter().for_each(|&(date, told)| lines.push_str(&line_of(date, told)));
        lines
    }

    fn note(&mut self, date: Date, told: Told) {
        match self.days.last_mut() {
            Some(last) if last.0 == date => last.1 = told,
            _ => self.days.push((date, told)),
        }
    }

    fn write(&mut self, line: &str) -> Result<(), String> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(line.as_bytes()).map_err(|cause| format!("cannot write the journal: {cause}"))
    }

    /// The first day: what is drawn depends on it.
    pub fn first_day(&self) -> Date {
        self.first_day
    }

    /// Whether the accounts are in.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The accounts are in.
    ///
    /// # Errors
    /// What the system says.
    pub fn open_book(&mut self) -> Result<(), String> {
        if self.open {
            return Ok(());
        }
        self.open = true;
        self.write("open\n")
    }

    /// So much of a day was answered.
    ///
    /// # Errors
    /// What the system says.
    pub fn told(&mut self, date: Date, told: Told) -> Result<(), String> {
        self.note(date, told);
        self.write(&line_of(date, told))
    }

    /// The days that are over; and the one that goes on or begins, with how many of its beats were answered.
    /// A day begins after the last one, today or later.
    pub fn days(&self, today: Date) -> (Vec<Date>, (Date, usize)) {
        let over = self.days.iter().filter(|(_, told)| *told == Told::Over);
        let current = match self.days.last() {
            None => (today, 0),
            Some(&(last, Told::Over)) => (today.max(Date(last.0 + 1)), 0),
            Some(&(date, Told::Beats(beats))) => (date, beats),
        };
        (over.map(|&(date, _)| date).collect(), current)
    }
}

fn line_of(date: Date, told: Told) -> String {
    match told {
        Told::Beats(beats) => format!("{} {beats}\n", text(date)),
        Told::Over => format!("{} over\n", text(date)),
    }
}

fn day_of(line: &str) -> Option<(Date, Told)> {
    let (date, told) = line.split_once(' ')?;
    let told = if told == "over" { Told::Over } else { Told::Beats(told.parse().ok()?) };
    Some((parse_date(date)?, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_goes_on_where_one_ended() {
        let path = std::env::temp_dir().join(format!("plimsoll-journal-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let day = |n: i32| Date(20_786 + n);
        let open = |who: &str, today| Journal::open(Some(&path), who, today);
        let mut first = open("7 200", day(0)).unwrap();
        assert!(!first.is_open());
        assert_eq!(first.days(day(0)), (vec![], (day(0), 0)));
        first.open_book().unwrap();
        first.told(day(0), Told::Beats(3)).unwrap();
        first.told(day(0), Told::Beats(4)).unwrap();
        first.write("2026-11-").unwrap();
        drop(first);
        let mut second = open("7 200", day(5)).unwrap();
        assert!(second.is_open());
        assert_eq!((second.first_day(), second.days(day(5))), (day(0), (vec![], (day(0), 4))));
        second.told(day(0), Told::Over).unwrap();
        drop(second);
        // Over: the next begins today, or tomorrow where today had one.
        let third = open("7 200", day(0)).unwrap();
        assert_eq!(third.days(day(0)), (vec![day(0)], (day(1), 0)));
        assert_eq!(third.days(day(5)), (vec![day(0)], (day(5), 0)));
        assert!(open("8 200", day(0)).is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
