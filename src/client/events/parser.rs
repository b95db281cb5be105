//! Parses server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>), as far as a node sends them: a
//! line ends with a line feed, and may have a carriage return before it.

use core::time::Duration;

/// An event as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) data: Vec<u8>,
}

/// Takes bytes as they arrive, and returns whole events.
#[derive(Debug)]
pub(super) struct Parser {
    /// What has arrived.
    bytes: Vec<u8>,
    /// How many of the bytes were parsed.
    parsed: usize,
    /// The last `id`, which holds until there is another.
    id: String,
    /// The lines of `data` of the event that is not complete.
    data: Vec<u8>,
    /// How long the server asks the client to wait before it comes back.
    pub(super) retry: Option<Duration>,
}

impl Parser {
    /// A parser for a stream that continues after the event with this id.
    pub(super) const fn new(id: String) -> Self {
        Self { bytes: Vec::new(), parsed: 0, id, data: Vec::new(), retry: None }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.parsed);
        self.parsed = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes that no event was made of.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.parsed + self.data.len()
    }

    /// The next event that is complete.
    pub(super) fn next(&mut self) -> Option<Message> {
        loop {
            let rest = self.bytes.get(self.parsed..)?;
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            self.parsed += end + 1;
            if line.is_empty() {
                let mut data = core::mem::take(&mut self.data);
                // Each line of the data has added its end.
                if data.pop().is_some() {
                    return Some(Message { id: self.id.clone(), data });
                }
                continue;
            }
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let (name, value) = line.split_at(colon);
            let value = value.strip_prefix(b":").unwrap_or(value);
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match name {
                b"data" => {
                    self.data.extend_from_slice(value);
                    self.data.push(b'\n');
                }
                b"id" if !value.contains(&0) => self.id = String::from_utf8_lossy(value).into_owned(),
                b"retry" => {
                    let millis = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    self.retry = millis.map(Duration::from_millis).or(self.retry);
                }
                // A comment, or a field that means nothing here.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, data: &str) -> Message {
        Message { id: id.to_owned(), data: data.into() }
    }

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let text = b"retry: 1500\n\n: a comment\n\nid: a-1\ndata: {\"type\":1}\n\nid:a-2\r\ndata:one\r\ndata: two\r\n\r\n\
                     event: x\ndata\n\nid: a\0b\ndata: 3\n\nid: a-4\n\ndata: 5\n\ndata: not complete\n";
        let expected = [
            message("a-1", "{\"type\":1}"),
            message("a-2", "one\ntwo"),
            message("a-2", ""),
            message("a-2", "3"),
            message("a-4", "5"),
        ];
        for size in [1, 2, 7, text.len()] {
            let mut parser = Parser::new("start".to_owned());
            let mut found = Vec::new();
            for part in text.chunks(size) {
                parser.push(part);
                found.extend(core::iter::from_fn(|| parser.next()));
            }
            assert_eq!(found, expected, "in parts of {size}");
            assert_eq!(parser.retry, Some(Duration::from_millis(1_500)));
            assert_eq!(parser.len(), "not complete\n".len());
        }
    }

    #[test]
    fn an_event_without_an_id_has_the_one_before() {
        let mut parser = Parser::new("start".to_owned());
        parser.push(b"retry: soon\ndata: 1\n\n");
        assert_eq!((parser.next(), parser.next()), (Some(message("start", "1")), None));
        assert_eq!(parser.retry, None);
    }
}
