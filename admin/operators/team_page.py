"""Operators: adding and disabling them, their roles and passwords."""

from http import HTTPStatus

from admin.labels.operators import ROLE_LABELS, ROLE_MEANINGS
from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from admin.web.inputs import parse_choice, parse_text
from admin.web.notices import Notice
from storage.base.errors import InvalidRecord
from storage.base.passwords import generate_password
from storage.sql.accounts.audit import AuditAction
from storage.sql.accounts.operators import Operator, Role

__all__ = ["routes"]

_PAGE = "/admin/operators"
_NOT_ADDED = N_("Not added: a name has 1 to 64 letters, digits and . _ @ + - and must not be taken.")


class _TeamHandler(AdminHandler):
    """Shows the operators, and the form that adds one."""

    requires = Role.OWNER

    async def show(self, *, name: str = "", role: str = Role.VIEWER, problem: str = "") -> None:
        """Show them, the form as it was filled in, and what is wrong with it."""
        operators = await self.run(self.services.operators.list)
        self.render(
            "operators/team.html",
            operators=operators,
            roles=ROLE_LABELS,
            meanings=ROLE_MEANINGS,
            given={"name": name, "role": role},
            problem=problem,
            with_factor=await self.run(self.services.factors.operator_ids),
            takes_passwords=self.services.ways.takes_passwords,
        )


class OperatorsHandler(_TeamHandler):
    """`GET /admin/operators`: who may sign in."""

    requires = Role.OWNER

    async def get(self) -> None:
        """List them."""
        await self.show()


class _ChangeHandler(_TeamHandler):
    """A change to one operator, named by the form."""

    requires = Role.OWNER

    async def found(self) -> Operator:
        """Return the operator that the form names.

        Raises:
            PageError: There is none.
        """
        found = await self.run(self.services.operators.find, parse_text(self.get_body_argument("name", "")))
        if found is None:
            raise PageError(HTTPStatus.NOT_FOUND, N_("There is no such operator."))
        return found[0]

    async def found_with_password(self) -> Operator:
        """Return the operator that the form names, who signs in by a password here.

        Raises:
            PageError: There is none, or a provider vouches for them.
        """
        operator = await self.found()
        if operator.issuer is not None:
            raise PageError(HTTPStatus.CONFLICT, N_("This operator is managed at the identity provider."))
        return operator

    def role(self) -> Role:
        """Return the role that the form names.

        Raises:
            PageError: There is none of this name.
        """
        role = parse_choice(Role, self.get_body_argument("role", ""))
        if role is None:
            raise PageError(HTTPStatus.BAD_REQUEST, N_("Choose a role."))
        return role

    def show_password(self, name: str, password: str) -> None:
        """Show a generated password: the only time that anybody sees it."""
        self.render(
            "operators/shown_once.html",
            title=N_("Password of %s"),
            name=name,
            secret=password,
            text=N_("Pass it on through a secure channel. It is shown only once; change it after signing in."),
            command="",
            back=_PAGE,
        )


class AddOperatorHandler(_ChangeHandler):
    """`POST /admin/operators/add`: an operator with a generated password."""

    requires = Role.OWNER

    async def post(self) -> None:
        """Add, and show the password."""
        name, role, services = parse_text(self.get_body_argument("name", "")), self.role(), self.services
        password = generate_password()
        password_hash = await services.passwords.hash(password)
        try:
            entry = self.audit_entry(AuditAction.OPERATOR_ADD, subject=name, role=role)
            await self.run(services.operators.add, name, password_hash, role, services.clock.now(), entry=entry)
        except InvalidRecord:
            self.set_status(HTTPStatus.BAD_REQUEST)
            await self.show(name=name, role=role, problem=_NOT_ADDED)
            return
        self.show_password(name, password)


class ResetPasswordHandler(_ChangeHandler):
    """`POST /admin/operators/password`: another generated password; sessions of the old one end."""

    requires = Role.OWNER

    async def post(self) -> None:
        """Replace the password, end the operator's sessions, show the new one."""
        operator, services = await self.found_with_password(), self.services
        password = generate_password()
        password_hash = await services.passwords.hash(password)
        entry = self.audit_entry(AuditAction.OPERATOR_PASSWORD, subject=operator.name)
        await self.run(services.operators.set_password, operator.name, password_hash, services.clock.now(), entry=entry)
        is_own = operator.id == self.session.operator_id
        await self.run(services.sessions.end_all, operator.id, but=self.session.id if is_own else None)
        self.show_password(operator.name, password)


class RemoveFactorsHandler(_ChangeHandler):
    """`POST /admin/operators/factors`: takes an operator's second factors away, who has lost them."""

    requires = Role.OWNER

    async def post(self) -> None:
        """Take them away, and end the sessions."""
        operator, services = await self.found_with_password(), self.services
        entry = self.audit_entry(AuditAction.OPERATOR_FACTORS, subject=operator.name)
        await self.run(services.factors.remove_all, operator.id, entry)
        is_own = operator.id == self.session.operator_id
        await self.run(services.sessions.end_all, operator.id, but=self.session.id if is_own else None)
        self.redirect_with_notice(_PAGE, Notice.OPERATOR_FACTORS_REMOVED, operator.name)


class ChangeRoleHandler(_ChangeHandler):
    """`POST /admin/operators/role`: another role, from the operator's next request on."""

    requires = Role.OWNER

    async def post(self) -> None:
        """Change it."""
        operator, role = await self.found_with_password(), self.role()
        entry = self.audit_entry(AuditAction.OPERATOR_ROLE, subject=operator.name, before=operator.role, after=role)
        try:
            await self.run(self.services.operators.set_role, operator.name, role, entry=entry)
        except InvalidRecord:
            self.redirect_with_notice(_PAGE, Notice.OPERATOR_LAST_OWNER, operator.name)
            return
        self.redirect_with_notice(_PAGE, Notice.OPERATOR_ROLE_CHANGED, operator.name)


class DisableOperatorHandler(_ChangeHandler):
    """`POST /admin/operators/disable`: keeps an operator out from now on."""

    requires = Role.OWNER

    async def post(self) -> None:
        """Disable, and end the sessions."""
        operator, services = await self.found(), self.services
        entry = self.audit_entry(AuditAction.OPERATOR_DISABLE, subject=operator.name)
        try:
            await self.run(services.operators.disable, operator.name, services.clock.now(), entry=entry)
        except InvalidRecord:
            self.redirect_with_notice(_PAGE, Notice.OPERATOR_LAST_OWNER, operator.name)
            return
        await self.run(services.sessions.end_all, operator.id)
        self.redirect_with_notice(_PAGE, Notice.OPERATOR_DISABLED, operator.name)


class EnableOperatorHandler(_ChangeHandler):
    """`POST /admin/operators/enable`: lets a disabled operator in again."""

    requires = Role.OWNER

    async def post(self) -> None:
        """Enable."""
        operator = await self.found()
        entry = self.audit_entry(AuditAction.OPERATOR_ENABLE, subject=operator.name)
        await self.run(self.services.operators.enable, operator.name, entry=entry)
        self.redirect_with_notice(_PAGE, Notice.OPERATOR_ENABLED, operator.name)


routes: list[AdminRoute] = [
    (r"/admin/operators", OperatorsHandler),
    (r"/admin/operators/add", AddOperatorHandler),
    (r"/admin/operators/password", ResetPasswordHandler),
    (r"/admin/operators/factors", RemoveFactorsHandler),
    (r"/admin/operators/role", ChangeRoleHandler),
    (r"/admin/operators/disable", DisableOperatorHandler),
    (r"/admin/operators/enable", EnableOperatorHandler),
]
