//! Header fields: ordered, duplicates kept, values any bytes.

/// The head of a message as Envoy holds it.
///
/// Names are lower case; pseudo-headers (`:method`, `:path`, `:authority`, `:scheme`,
/// `:status`) come first and are ordinary fields. Values are bytes, never checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    fields: Vec<(String, Vec<u8>)>,
}

impl Headers {
    /// No field at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for `capacity` fields.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            fields: Vec::with_capacity(capacity),
        }
    }

    /// A response head that has a status and nothing else.
    #[must_use]
    pub fn with_status(status: u16) -> Self {
        let mut headers = Self::with_capacity(8);
        headers.add(":status", status.to_string());
        headers
    }

    /// All fields in order.
    #[must_use]
    pub fn fields(&self) -> &[(String, Vec<u8>)] {
        &self.fields
    }

    /// All fields in order, owned.
    #[must_use]
    pub fn into_fields(self) -> Vec<(String, Vec<u8>)> {
        self.fields
    }

    /// How many fields there are, pseudo-headers included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The first value of `name`; `name` is compared in lower case.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// Every value of `name`, in order.
    pub fn all<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// Whether a field `name` is there.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// Appends a field; those of the same name stay.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) {
        let mut name = name.into();
        name.make_ascii_lowercase();
        self.fields.push((name, value.into()));
    }

    /// Makes `value` the only field `name`, in the place of the first one.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let Some(place) = self
            .fields
            .iter()
            .position(|(field, _)| field.eq_ignore_ascii_case(name))
        else {
            return self.add(name, value);
        };
        let value = value.into();
        let mut index = 0;
        self.fields.retain(|(field, _)| {
            let keep = index <= place || !field.eq_ignore_ascii_case(name);
            index += 1;
            keep
        });
        if let Some(field) = self.fields.get_mut(place) {
            field.1 = value;
        }
    }

    /// Removes every field `name`; says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.fields.len();
        self.fields
            .retain(|(field, _)| !field.eq_ignore_ascii_case(name));
        self.fields.len() != before
    }

    /// Removes every field with an underscore in its name.
    pub(crate) fn drop_underscores(&mut self) {
        self.fields.retain(|(field, _)| !field.contains('_'));
    }

    /// The status of a response head; `None` if absent or not a number.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        std::str::from_utf8(self.first(":status")?)
            .ok()?
            .parse()
            .ok()
    }
}

impl<N: Into<String>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in fields {
            headers.add(name, value);
        }
        headers
    }
}

impl<'h> IntoIterator for &'h Headers {
    type Item = &'h (String, Vec<u8>);
    type IntoIter = std::slice::Iter<'h, (String, Vec<u8>)>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_replaces_all_duplicates_in_the_place_of_the_first() {
        let mut headers: Headers = [("a", "1"), ("X-B", "2"), ("c", "3"), ("x-b", "4")]
            .into_iter()
            .collect();
        headers.set("x-b", "new");
        let want: Headers = [("a", "1"), ("x-b", "new"), ("c", "3")]
            .into_iter()
            .collect();
        assert_eq!(headers, want);
        assert!(headers.remove("A"));
        assert!(!headers.remove("a"));
    }
}
