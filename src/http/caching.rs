//! Cache control and conditional requests (RFC 9110, section 13, and RFC 9111).

use rouille::Request;

use super::answer::Answer;

/// How long a response may be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Without limit: a block by its hash.
    Immutable,
    /// Until the chain changes: the cache revalidates at each use, and receives no body if nothing has
    /// changed.
    Revalidated,
}

impl Lifetime {
    const fn cache_control(self) -> &'static str {
        match self {
            // One year, the usual maximum; `immutable` is RFC 8246.
            Self::Immutable => "max-age=31536000, immutable",
            Self::Revalidated => "no-cache",
        }
    }
}

/// Adds an entity tag to an answer, or replaces the answer with a 304 if the client has the tag. The tag
/// identifies the bytes of the body: printable ASCII without quotes and commas.
pub(super) fn cacheable(answer: Answer, request: &Request, tag: &str, lifetime: Lifetime) -> Answer {
    let mut answer = answer
        .without_header("Cache-Control")
        .with_header("Cache-Control", lifetime.cache_control())
        .with_header("ETag", format!("\"{tag}\""));
    if request.header("If-None-Match").is_some_and(|known| is_known(known, tag)) {
        answer.status = 304;
        answer.body = Vec::new();
        // A 304 has no body, and its `Content-Type` would replace the cached one.
        answer = answer.without_header("Content-Type");
    }
    answer
}

/// Whether the tag is in an `If-None-Match`, by weak comparison (RFC 9110, section 13.1.2).
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
