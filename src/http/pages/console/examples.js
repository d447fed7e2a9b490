// Queries to start from.

const EXAMPLES = [
  {
    title: 'Newest tracks',
    about: 'A first page, with the cursor that leads to the next.',
    query: `query NewestTracks {
  tracks(first: 10) {
    nodes {
      id
      title
      durationMs
      publishedAt
      artist {
        name
        slug
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`,
    variables: '',
  },
  {
    title: 'Most played of some genres',
    about: 'A filter and an order, both in variables.',
    query: `query MostPlayed($first: Int, $filter: TrackFilter, $orderBy: TrackOrder) {
  tracks(first: $first, filter: $filter, orderBy: $orderBy) {
    nodes {
      title
      playCount
      isExplicit
      genre {
        name
      }
      artist {
        name
      }
    }
  }
}
`,
    variables: `{
  "first": 5,
  "filter": { "genreSlugs": ["electronic", "house"], "isExplicit": false },
  "orderBy": { "field": "PLAY_COUNT", "direction": "DESC" }
}
`,
  },
  {
    title: 'Page by page',
    about: 'Put the answer’s endCursor into the variable “after” and run it again.',
    query: `query PageOfTracks($after: String) {
  tracks(first: 20, after: $after, orderBy: { field: TITLE, direction: ASC }) {
    edges {
      cursor
      node {
        title
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`,
    variables: `{
  "after": null
}
`,
  },
  {
    title: 'One artist',
    about: 'By the name in its address; “Newest tracks” shows some.',
    query: `query OneArtist($slug: String!) {
  artist(slug: $slug) {
    id
    name
    biography
    albums(first: 5) {
      nodes {
        title
        kind
        releasedOn
      }
    }
    tracks(first: 5) {
      nodes {
        title
        durationMs
      }
    }
  }
}
`,
    variables: `{
  "slug": "put-a-slug-here"
}
`,
  },
  {
    title: 'Genres',
    about: 'A short list, so without pages.',
    query: `query Genres {
  genres {
    slug
    name
  }
}
`,
    variables: '',
  },
  {
    title: 'What is left of my budget',
    about: 'An operation is charged by what it may return.',
    query: `query Budget {
  rateLimit {
    limit
    cost
    remaining
    resetAt
  }
  tracks(first: 50) {
    nodes {
      title
    }
  }
}
`,
    variables: '',
  },
];
