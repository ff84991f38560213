//! Answers of the EC2 query protocol, as text.

use std::fmt::{Display, Write as _};

use backup_core::clock::Timestamp;
use quick_xml::escape::escape;

use crate::aws_fake::{ApiError, Reply, reply};

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";
const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";

/// The inside of an element.
#[derive(Clone, Debug, Default)]
pub(super) struct Xml(String);

impl Xml {
    /// An element with text.
    pub(super) fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        let value = value.to_string();
        // Writing to a string cannot fail.
        let _infallible = write!(self.0, "<{name}>{}</{name}>", escape(&value));
        self
    }

    /// An element with text, where there is one.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// An element with a moment, as EC2 writes it.
    pub(super) fn time(&mut self, name: &str, time: Timestamp) -> &mut Self {
        self.text(name, format_args!("{time:.3}"))
    }

    /// An element with elements.
    pub(super) fn element(&mut self, name: &str, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self::default();
        fill(&mut inner);
        let _infallible = write!(self.0, "<{name}>{}</{name}>", inner.0);
        self
    }

    /// A list: an element with one `item` each.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        fill: impl Fn(&mut Self, T),
    ) -> &mut Self {
        self.element(name, |list| {
            for item in items {
                list.element("item", |one| fill(one, item));
            }
        })
    }

    /// The answer to `action`.
    pub(super) fn answer(self, action: &str) -> Reply {
        let inner = self.0;
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"{NAMESPACE}\">\
             <requestId>{REQUEST_ID}</requestId>{inner}</{action}Response>"
        );
        reply(200, "text/xml;charset=UTF-8", body)
    }
}

/// An error as EC2 words it.
pub(super) fn error(error: &ApiError) -> Reply {
    let mut inner = Xml::default();
    inner.text("Code", &error.code).text("Message", &error.message);
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>{}</Error></Errors>\
         <RequestID>{REQUEST_ID}</RequestID></Response>",
        inner.0
    );
    reply(error.status, "text/xml;charset=UTF-8", body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_lists_are_items() {
        let mut xml = Xml::default();
        xml.text("a", "<&>").maybe("b", None::<&str>).list("set", [1, 2], |item, n| {
            item.text("n", n);
        });
        xml.time("t", "2026-11-21T03:00:00.4Z".parse().unwrap());
        assert_eq!(
            xml.0,
            "<a>&lt;&amp;&gt;</a><set><item><n>1</n></item><item><n>2</n></item></set><t>2026-11-21T03:00:00.400Z</t>"
        );
    }
}
