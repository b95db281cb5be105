//! What a cache may keep of an answer, and whether what a client has is still right: RFC 9110, section 13, and
//! RFC 9111.

use rouille::Request;

use super::answer::Answer;

/// How long an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// For ever: a block by its hash.
    Immutable,
    /// Until the chain changes: ask each time, which costs no body where nothing has.
    Revalidated,
}

impl Lifetime {
    const fn cache_control(self) -> &'static str {
        match self {
            // A year, as long as caches take for ever; `immutable` is RFC 8246.
            Self::Immutable => "max-age=31536000, immutable",
            Self::Revalidated => "no-cache",
        }
    }
}

/// The answer with this entity tag, or a 304 in its place for a client that has it. The tag stands for the bytes of
/// the body: printable ASCII without quotes and commas.
pub(super) fn cacheable(answer: Answer, request: &Request, tag: &str, lifetime: Lifetime) -> Answer {
    let mut answer = answer
        .without_header("Cache-Control")
        .with_header("Cache-Control", lifetime.cache_control())
        .with_header("ETag", format!("\"{tag}\""));
    if request.header("If-None-Match").is_some_and(|known| is_known(known, tag)) {
        answer.status = 304;
        answer.body = Vec::new();
        // It describes a body, and would replace what the client keeps with it.
        answer = answer.without_header("Content-Type");
    }
    answer
}

/// Whether the tag is among those of an `If-None-Match`: weak comparison, RFC 9110, section 13.1.2.
fn is_known(known: &str, tag: &str) -> bool {
    let quoted = |text: &str| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) == Some(tag);
    let mut tags = known.split(',').map(str::trim);
    known.trim() == "*" || tags.any(|text| quoted(text.strip_prefix("W/").unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::is_known;
    use rstest::rstest;

    #[rstest]
    #[case("\"abc\"", true)]
    #[case(" W/\"abc\" ", true)]
    #[case("\"x\", \"abc\"", true)]
    #[case("\"x\",W/\"abc\",\"y\"", true)]
    #[case("*", true)]
    #[case("", false)]
    #[case("abc", false)]
    #[case("\"abc", false)]
    #[case("\"abcd\"", false)]
    #[case("w/\"abc\"", false)]
    #[case("\"*\"", false)]
    fn tags_are_compared_weakly(#[case] known: &str, #[case] expected: bool) {
        assert_eq!(is_known(known, "abc"), expected);
    }
}
