//! The state as bytes: what a snapshot keeps, and what the state hash is taken of.
//!
//! Little endian, no padding, lengths before contents. Caches are not written: what can be
//! recomputed from books and marks is recomputed on loading.

use std::collections::{BTreeMap, VecDeque};

/// Bytes that are no state of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// A value as bytes.
pub(crate) trait Codec: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt>;
}

/// Takes so many bytes.
pub(crate) fn split<'a>(input: &mut &'a [u8], len: usize) -> Result<&'a [u8], Corrupt> {
    let (head, tail) = input.split_at_checked(len).ok_or(Corrupt)?;
    *input = tail;
    Ok(head)
}

macro_rules! integers {
    ($($t:ty),+) => { $(
        impl Codec for $t {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
                let bytes = split(input, size_of::<$t>())?;
                bytes.try_into().map(<$t>::from_le_bytes).map_err(|_| Corrupt)
            }
        }
    )+ };
}
integers!(u8, u32, i32, u64, i64, u128, i128);

impl Codec for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        match u8::get(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Corrupt),
        }
    }
}

impl<T: Codec> Codec for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        if bool::get(input)? { T::get(input).map(Some) } else { Ok(None) }
    }
}

impl<T: Codec> Codec for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        T::get(input).map(Box::new)
    }
}

/// Puts a length and the items.
pub(crate) fn put_all<'a, T: Codec + 'a>(items: impl ExactSizeIterator<Item = &'a T>, out: &mut Vec<u8>) {
    (items.len() as u64).put(out);
    items.for_each(|item| item.put(out));
}

/// Gets what [`put_all`] put, into any collection.
pub(crate) fn get_all<T: Codec, C: FromIterator<T>>(input: &mut &[u8]) -> Result<C, Corrupt> {
    let len = u64::get(input)?;
    (0..len).map(|_| T::get(input)).collect()
}

impl<T: Codec> Codec for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.iter(), out);
    }
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        get_all(input)
    }
}

impl<T: Codec> Codec for VecDeque<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.iter(), out);
    }
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        get_all(input)
    }
}

impl<K: Codec + Ord, V: Codec> Codec for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        get_all::<(K, V), _>(input)
    }
}

impl<A: Codec, B: Codec> Codec for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        Ok((A::get(input)?, B::get(input)?))
    }
}

impl<T: Codec, const N: usize> Codec for [T; N] {
    fn put(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|item| item.put(out));
    }
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        let items = (0..N).map(|_| T::get(input)).collect::<Result<Vec<T>, _>>()?;
        items.try_into().map_err(|_| Corrupt)
    }
}

impl Codec for Box<str> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        out.extend_from_slice(self.as_bytes());
    }
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        let len = usize::try_from(u64::get(input)?).map_err(|_| Corrupt)?;
        std::str::from_utf8(split(input, len)?).map(Box::from).map_err(|_| Corrupt)
    }
}

/// Codecs of tuple structs around one value, of structs by their fields, and of word enums.
macro_rules! codec {
    (newtype $($t:ident),+ $(,)?) => { $(
        impl Codec for $t {
            fn put(&self, out: &mut Vec<u8>) { self.0.put(out); }
            fn get(input: &mut &[u8]) -> Result<Self, Corrupt> { Codec::get(input).map($t) }
        }
    )+ };
    (words $($t:ident),+ $(,)?) => { $(
        impl Codec for $t {
            fn put(&self, out: &mut Vec<u8>) { out.push(*self as u8); }
            fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
                $t::ALL.get(u8::get(input)? as usize).copied().ok_or(Corrupt)
            }
        }
    )+ };
    ($t:ident { $($field:ident),+ $(,)? }) => {
        impl Codec for $t {
            fn put(&self, out: &mut Vec<u8>) { $(self.$field.put(out);)+ }
            fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
                Ok($t { $($field: Codec::get(input)?),+ })
            }
        }
    };
}
pub(crate) use codec;
