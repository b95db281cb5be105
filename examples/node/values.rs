//! Parsers for option values: lenient in form, because people write values by hand and templates add blanks
//! and line breaks, and strict in meaning. Does not know which option a value belongs to.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use hashloom::Address;
use hashloom::http::{Origin, OriginError, Token};
use hashloom::protocol::PeerHost;

/// The values of one option, separated by commas, blanks or line breaks. An empty text is an empty list,
/// which is how a script passes no values.
#[derive(Clone, Debug)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

pub(crate) fn list<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<List<T>, String> {
    let entries = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    entries.map(parse).collect::<Result<_, _>>().map(List)
}

/// Parses any type with a textual form, and ignores surrounding blanks.
pub(crate) fn trimmed<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.trim().parse()
}

/// Yes or no.
pub(crate) fn flag(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "t" | "on" | "1" => Ok(true),
        "false" | "no" | "n" | "f" | "off" | "0" | "" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// Host names without a port, as in the header `Host`.
pub(crate) fn hosts(text: &str) -> Result<List<String>, String> {
    list(text, |text| {
        // IP addresses are always allowed, so a list may contain them.
        if text.parse::<IpAddr>().is_ok() {
            return Ok(text.to_owned());
        }
        let host: PeerHost = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
        let is_name = host.as_str().eq_ignore_ascii_case(text.trim_end_matches('.'));
        let host = is_name.then(|| host.to_string());
        host.ok_or_else(|| format!("{text:?} is no name of a host, expected one such as node.example.org"))
    })
}

/// Origins of web pages, as in the header `Origin`.
pub(crate) fn origins(text: &str) -> Result<List<Origin>, String> {
    list(text, |text| text.parse().map_err(|error: OriginError| error.to_string()))
}

/// Words that another function validates.
pub(crate) fn words(text: &str) -> Result<List<String>, String> {
    list(text, |word| Ok(word.to_owned()))
}

/// A secret for a header.
pub(crate) fn token(text: &str) -> Result<Token, String> {
    Token::new(text.trim()).map_err(|error| error.to_string())
}

/// 20 bytes in hex, with or without `0x`.
pub(crate) fn miner(text: &str) -> Result<Address, String> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    (crate::APPLICATION.miner)(digits)
}

/// The upper limit of threads. More than any machine has cores is a typing mistake.
const MAX_THREADS: usize = 1024;

pub(crate) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.trim().parse().ok().filter(|threads: &NonZeroUsize| threads.get() <= MAX_THREADS);
    threads.ok_or_else(|| format!("expected 1 to {MAX_THREADS} threads"))
}

/// Seconds, with an optional fraction and an optional `s`, or milliseconds with `ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim().to_ascii_lowercase();
    let (number, unit) = match text.strip_suffix("ms") {
        Some(millis) => (millis, 0.001),
        None => (text.strip_suffix('s').unwrap_or(&text), 1.0),
    };
    let seconds = number.trim().parse().ok().map(|number: f64| number * unit);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    // Chain timestamps have millisecond resolution.
    let duration = duration.filter(|duration| duration.subsec_nanos() % 1_000_000 == 0);
    duration.ok_or_else(|| "expected seconds or whole milliseconds, such as 10s, 2.5 or 500ms".to_owned())
}
