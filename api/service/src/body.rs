//! The body of a submission as lines: NDJSON as it is, an array of objects element by element.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// A line of a body, with its number from 1.
pub type Line<'a> = (u32, Cow<'a, [u8]>);

/// The lines of a body; blank ones are none.
///
/// # Errors
/// What is wrong with a body that begins as an array and is none.
pub fn lines(body: &[u8]) -> Result<Vec<Line<'_>>, String> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        let elements: Vec<&RawValue> = serde_json::from_slice(body).map_err(|cause| cause.to_string())?;
        return Ok((1..).zip(elements.iter().map(|element| one_line(element.get()))).collect());
    }
    let ends = memchr::memchr_iter(b'\n', body).chain([body.len()]);
    let lines = ends.scan(0, |start, end| Some(&body[std::mem::replace(start, end + 1)..end]));
    let told = (1..)
        .zip(lines)
        .map(|(number, line)| (number, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty());
    Ok(told.map(|(number, line)| (number, Cow::Borrowed(line))).collect())
}

/// An element without its line ends, which JSON has outside texts only.
fn one_line(element: &str) -> Cow<'_, [u8]> {
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if element.bytes().any(|byte| ends(&byte)) {
        Cow::Owned(element.bytes().map(|byte| if ends(&byte) { b' ' } else { byte }).collect())
    } else {
        Cow::Borrowed(element.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Vec<(u32, String)> {
        let lines = lines(body.as_bytes()).expect("a body");
        lines.into_iter().map(|(n, line)| (n, String::from_utf8(line.into_owned()).expect("text"))).collect()
    }

    #[test]
    fn lines_keep_their_numbers() {
        assert_eq!(of("{\"a\":1}\n\n  {\"b\":2}\r\n"), [(1, "{\"a\":1}".into()), (3, "{\"b\":2}".into())]);
        assert_eq!(of(" \n"), []);
        assert_eq!(of(""), []);
    }

    #[test]
    fn an_array_gives_its_elements_as_they_stand() {
        assert_eq!(
            of(" [ {\"price\": 10.0},\n {\"a\":\n \"x\"} ,3]"),
            [(1, "{\"price\": 10.0}".into()), (2, "{\"a\":  \"x\"}".into()), (3, "3".into())]
        );
        assert!(lines(b"[{}, {}").is_err());
        assert!(lines(b"[{}] {}").is_err());
    }
}
