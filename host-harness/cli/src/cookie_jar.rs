//! The cookies of one client of one host, as a browser keeps them.

/// One cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// The name, case kept.
    pub name: String,
    /// The value, not decoded.
    pub value: String,
    /// The attributes as written, after the value: `Path=/; HttpOnly`.
    pub attributes: String,
}

impl Cookie {
    /// Reads a `Set-Cookie` value.
    #[must_use]
    pub fn parse(set_cookie: &str) -> Self {
        let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Self {
            name: name.trim().into(),
            value: value.trim().into(),
            attributes: attributes.trim().into(),
        }
    }

    /// The value of an attribute, `""` for one without; `None` if it is not there.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.split(';').find_map(|attribute| {
            let (n, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            n.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn path(&self) -> &str {
        self.attribute("path")
            .filter(|path| path.starts_with('/'))
            .unwrap_or("/")
    }

    /// RFC 6265, 5.1.4.
    fn matches(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path());
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path().ends_with('/')
        })
    }
}

/// What a client was given.
#[derive(Debug, Clone, Default)]
pub struct CookieJar {
    /// The cookies it holds, oldest first.
    pub cookies: Vec<Cookie>,
    /// How many `Set-Cookie` it was sent, ever.
    pub received: usize,
}

impl CookieJar {
    /// Keeps what a response set.
    pub fn keep(&mut self, set_cookie: &str) {
        self.received += 1;
        let cookie = Cookie::parse(set_cookie);
        let same = |old: &Cookie| old.name == cookie.name && old.path() == cookie.path();
        match self.cookies.iter_mut().find(|old| same(old)) {
            Some(old) => *old = cookie,
            None => self.cookies.push(cookie),
        }
    }

    /// The value of the cookie called `name`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let cookie = self.cookies.iter().find(|cookie| cookie.name == name)?;
        Some(&cookie.value)
    }

    /// The Cookie header of a request for `target`, longest path first; `None`: it has none.
    #[must_use]
    pub fn header(&self, target: &str) -> Option<String> {
        let path = target.split('?').next().unwrap_or(target);
        let mut cookies: Vec<_> = self.cookies.iter().filter(|c| c.matches(path)).collect();
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path().len()));
        let pairs = cookies.iter().map(|c| format!("{}={}", c.name, c.value));
        let pairs: Vec<_> = pairs.collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}
