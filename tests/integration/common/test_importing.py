"""An import makes a workspace of its own each time, whatever became of the earlier ones."""

from libs.common.auth import OnWorkspaceCreated
from services.all.conversations import new_workspace
from tests.integration.common.conftest import Platform


async def test_an_import_never_takes_an_id_that_was_given(platform: Platform) -> None:
    made = OnWorkspaceCreated(platform.on_created)
    given = [(await new_workspace(platform.workspaces, made))[0] for _ in range(3)]
    assert given == ["import-1", "import-2", "import-3"]
    root = await platform.keys.authenticate(platform.root_key)
    assert root is not None
    await platform.workspaces.delete("import-2", by=root)
    workspace, key = await new_workspace(platform.workspaces, made)
    admin = await platform.keys.authenticate(key)
    assert admin is not None
    assert (workspace, admin.workspace) == ("import-4", "import-4")
