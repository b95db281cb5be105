//! Which media type a client prefers (RFC 9110, section 12.5.1). A parser of its own: the crates for it bring a model of
//! all headers.

use hyper::header::{ACCEPT, HeaderMap};

use super::header::lossy;

/// Whether a client prefers one media type to another. A client that names neither has no preference.
pub(super) fn prefers(headers: &HeaderMap, media_type: &str, to: &str) -> bool {
    weight(headers, media_type) > weight(headers, to)
}

/// The weight of a media type in thousandths, which is that of the most specific range with it; 0 if no range has it.
fn weight(headers: &HeaderMap, media_type: &str) -> u16 {
    let mut best = None;
    for value in headers.get_all(ACCEPT) {
        for range in lossy(value).split(',') {
            let mut parts = range.split(';').map(str::trim);
            let specificity = parts.next().and_then(|name| specificity(name, media_type));
            if let (Some(specificity), Some(weight)) = (specificity, parameters(parts)) {
                best = best.max(Some((specificity, weight)));
            }
        }
    }
    best.map_or(0, |(_, weight)| weight)
}

/// How precisely a range names a media type; `None` if it does not have it.
fn specificity(range: &str, media_type: &str) -> Option<u8> {
    if range.eq_ignore_ascii_case(media_type) {
        return Some(2);
    }
    let (range, (of_type, _)) = (range.strip_suffix("/*")?, media_type.split_once('/')?);
    match range {
        "*" => Some(0),
        _ => range.eq_ignore_ascii_case(of_type).then_some(1),
    }
}

/// The weight of a range with these parameters; `None` if one of them asks for what no answer has.
fn parameters<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let mut weight = 1_000;
    for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=')?;
        match name.to_ascii_lowercase().as_str() {
            "q" => weight = thousandths(value)?,
            // What all text and all JSON here is.
            "charset" if value.trim_matches('"').eq_ignore_ascii_case("utf-8") => {}
            _ => return None,
        }
    }
    Some(weight)
}

/// `0` to `1` with at most three digits after the point (RFC 9110, section 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{digits:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" => (fraction == 0).then_some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[], false)]
    #[case(&[""], false)]
    #[case(&["*/*"], false)]
    #[case(&["application/json"], false)]
    #[case(&["text/plain"], true)]
    #[case(&["Text/Plain; charset=\"UTF-8\""], true)]
    #[case(&["text/*"], true)]
    #[case(&["text/html, text/plain;q=0.1"], true)]
    #[case(&["text/plain, application/json"], false)]
    #[case(&["text/plain, application/json;q=0.999"], true)]
    #[case(&["text/plain;q=0.5, application/json;q=0.6"], false)]
    #[case(&["application/json;q=0.5", "text/plain"], true)]
    #[case(&["text/plain, */*;q=0.8"], true)]
    #[case(&["text/plain;q=0, */*"], false)]
    #[case(&["application/*;q=0.2, text/*;q=0.3, */*"], true)]
    #[case(&["application/json;q=0, */*;q=0.1"], true)]
    #[case(&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], false)]
    #[case(&["application/jsontext/plain"], false)]
    #[case(&["text/plainx, x-text/plain"], false)]
    #[case(&["text/plain;format=flowed"], false)]
    #[case(&["text/plain;q=1.001"], false)]
    #[case(&["text/plain;q=0.0001"], false)]
    #[case(&["text/plain;q=-1"], false)]
    #[case(&["text/plain;q"], false)]
    #[case(&["text/plain;q=1.000"], true)]
    #[case(&["text/plain;q=0.001;"], true)]
    fn who_prefers_text_to_json(#[case] accept: &[&'static str], #[case] expected: bool) {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        assert_eq!(prefers(&headers, "text/plain", "application/json"), expected);
    }
}
