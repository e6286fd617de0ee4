"""All entries, in the table's order."""

from transparency_lib import building, everyday, languages, sandboxes, servers, users

ENTRIES = [*users.ENTRIES, *servers.ENTRIES, *sandboxes.ENTRIES, *languages.ENTRIES,
           *building.ENTRIES, *everyday.ENTRIES]
