"""Model fields as migrations write them: which built-in field decides the column, and with which options."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from backendgen.migrate.readers.values import UNKNOWN, Call, Class, Function, Method, Symbol, Text

Key = tuple[str, str]  # a model's app label and its name in lower case

FOREIGN_KEYS = frozenset({"ForeignKey", "OneToOneField"})
MANY_TO_MANY = "ManyToManyField"
NO_COLUMN = "no column"
CUSTOM = "custom"
AUTO_FIELDS = frozenset({"AutoField", "BigAutoField", "SmallAutoField"})

# The built-in field whose column each built-in field has (get_internal_type).
_INTERNAL = {
    "CommaSeparatedIntegerField": "CharField", "EmailField": "CharField", "URLField": "CharField",
    "ImageField": "FileField", "NullBooleanField": "BooleanField", "OrderWrt": "IntegerField",
    "CICharField": "CITextField", "CIEmailField": "CITextField", "FloatRangeField": "DecimalRangeField",
    "GenericRelation": NO_COLUMN, "GenericForeignKey": NO_COLUMN, "CompositePrimaryKey": NO_COLUMN,
}  # fmt: skip
_BUILT_IN = frozenset({
    "ArrayField", "AutoField", "BigAutoField", "BigIntegerField", "BigIntegerRangeField", "BinaryField",
    "BooleanField", "CITextField", "CharField", "DateField", "DateRangeField", "DateTimeField",
    "DateTimeRangeField", "DecimalField", "DecimalRangeField", "DurationField", "ExtentField", "FileField",
    "FilePathField", "FloatField", "ForeignKey", "GeneratedField", "GenericIPAddressField", "GeometryCollectionField",
    "GeometryField", "HStoreField", "IPAddressField", "IntegerField", "IntegerRangeField", "JSONField",
    "LineStringField", "ManyToManyField", "MultiLineStringField", "MultiPointField", "MultiPolygonField",
    "OneToOneField", "PointField", "PolygonField", "PositiveBigIntegerField", "PositiveIntegerField",
    "PositiveSmallIntegerField", "RasterField", "SearchVectorField", "SlugField", "SmallAutoField",
    "SmallIntegerField", "TextField", "TimeField", "UUIDField",
}) | frozenset(_INTERNAL)  # fmt: skip
# Fields of well-known packages, by the built-in field whose column they have.
_OF_PACKAGES = {
    "ckeditor.fields.RichTextField": "TextField", "ckeditor_uploader.fields.RichTextUploadingField": "TextField",
    "django_countries.fields.CountryField": "CharField", "django_extensions.db.fields.AutoSlugField": "SlugField",
    "django_extensions.db.fields.CreationDateTimeField": "DateTimeField",
    "django_extensions.db.fields.ModificationDateTimeField": "DateTimeField",
    "django_extensions.db.fields.json.JSONField": "TextField", "easy_thumbnails.fields.ThumbnailerImageField": "FileField",
    "imagekit.models.fields.ProcessedImageField": "FileField", "jsonfield.fields.JSONField": "TextField",
    "autoslug.fields.AutoSlugField": "SlugField", "colorfield.fields.ColorField": "CharField",
    "model_utils.fields.AutoCreatedField": "DateTimeField", "model_utils.fields.AutoLastModifiedField": "DateTimeField",
    "model_utils.fields.MonitorField": "DateTimeField", "model_utils.fields.StatusField": "CharField",
    "model_utils.fields.UUIDField": "UUIDField", "modelcluster.contrib.taggit.ClusterTaggableManager": NO_COLUMN,
    "mptt.fields.TreeForeignKey": "ForeignKey", "mptt.fields.TreeManyToManyField": "ManyToManyField",
    "mptt.fields.TreeOneToOneField": "OneToOneField", "modelcluster.fields.ParentalKey": "ForeignKey",
    "modelcluster.fields.ParentalManyToManyField": "ManyToManyField",
    "multiselectfield.db.fields.MultiSelectField": "CharField",
    "phonenumber_field.modelfields.PhoneNumberField": "CharField", "sorl.thumbnail.fields.ImageField": "FileField",
    "sortedm2m.fields.SortedManyToManyField": "ManyToManyField", "taggit.managers.TaggableManager": NO_COLUMN,
    "timezone_field.fields.TimeZoneField": "CharField", "tinymce.models.HTMLField": "TextField",
    "treebeard.fields.MP_NodeField": "CharField", "versatileimagefield.fields.VersatileImageField": "FileField",
    "wagtail.fields.RichTextField": "TextField", "wagtail.core.fields.RichTextField": "TextField",
    "wagtail.core.fields.StreamField": "TextField", "wagtail.fields.StreamField": "JSONField",
}  # fmt: skip
_MAX_LENGTHS = {
    "EmailField": 254, "FileField": 100, "FilePathField": 100, "ImageField": 100, "SlugField": 50, "URLField": 200,
    "CountryField": 2, "PhoneNumberField": 128, "TimeZoneField": 63, "ColorField": 25, "StatusField": 100,
}  # fmt: skip
# Options that change nothing in the database (Field.non_db_attrs), and those that only reverse relations use.
_NOT_IN_DATABASE = frozenset({
    "blank", "choices", "db_column", "editable", "error_messages", "help_text", "limit_choices_to", "on_delete",
    "related_name", "related_query_name", "validators", "verbose_name", "default", "auto_now", "auto_now_add",
    "upload_to", "serialize", "auto_created", "parent_link", "encoder", "decoder", "swappable", "block_lookup",
})  # fmt: skip
_MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Field:
    """A field. `kind` is the built-in field whose column it has, CUSTOM when only its `type` is known or nothing is.

    `to` and `through` are the models that a relation names, `inner` the field of an array's elements or of a generated
    column's result. `path` is the class that the migration names.
    """

    name: str
    kind: str
    path: str
    options: Mapping[str, Any]
    to: Key | None = None
    through: Key | None = None
    inner: Field | None = None
    type: str = ""

    @property
    def column(self) -> str:
        """The column's name."""
        named = self.options.get("db_column")
        return named if isinstance(named, str) else f"{self.name}_id" if self.kind in FOREIGN_KEYS else self.name

    @property
    def null(self) -> bool:
        """Whether the column takes NULL."""
        return self.options.get("null") is True or self.path.endswith(".NullBooleanField")

    @property
    def primary_key(self) -> bool:
        """Whether it is the primary key."""
        return self.options.get("primary_key") is True

    @property
    def unique(self) -> bool:
        """Whether its values are unique; a primary key's are."""
        return self.primary_key or self.options.get("unique") is True or self.kind == "OneToOneField"

    @property
    def db_index(self) -> bool:
        """Whether it asks for an index, as foreign keys and slugs do unless told otherwise."""
        asked = self.options.get("db_index")
        return asked if isinstance(asked, bool) else self.kind in FOREIGN_KEYS or self.kind == "SlugField"

    @property
    def constrained(self) -> bool:
        """Whether it is a relation with a foreign key constraint."""
        return self.to is not None and self.options.get("db_constraint") is not False

    @property
    def has_db_default(self) -> bool:
        """Whether the database itself knows a default."""
        return "db_default" in self.options and not _is_not_provided(self.options["db_default"])

    @property
    def has_default(self) -> bool:
        """Whether Django knows a default."""
        return "default" in self.options and not _is_not_provided(self.options["default"])

    @property
    def comment(self) -> str:
        """The column's comment."""
        comment = self.options.get("db_comment")
        return comment if isinstance(comment, str) else ""

    @property
    def collation(self) -> str:
        """The collation that it asks for."""
        collation = self.options.get("db_collation")
        return collation if isinstance(collation, str) else ""

    def without_default(self) -> Field:
        """Return it as the state keeps it when `preserve_default` is off."""
        return replace(self, options={name: value for name, value in self.options.items() if name != "default"})

    def in_database(self) -> tuple[Any, ...]:
        """Return all that an ALTER could change; two fields that agree in it need none."""
        options = {name: value for name, value in self.options.items() if name not in _NOT_IN_DATABASE}
        return self.path, options, self.to, self.through, self.inner.in_database() if self.inner else None


def field_of(name: str, value: Any, owner: Key, names: Mapping[str, str]) -> Field:
    """Return the field that a migration gives a model. `names` are the project's settings (AUTH_USER_MODEL)."""
    call = value if isinstance(value, Call) else Call(CUSTOM)
    kind, known_type = _kind(call)
    options = {word: _setting(plain(each), names) for word, each in call.kwargs.items()}
    if kind in FOREIGN_KEYS or kind == MANY_TO_MANY:
        options.pop("to", None)
        options.pop("through", None)
        to = model_key(call.arg(0, "to"), owner, names)
        through = model_key(call.kwargs.get("through"), owner, names)
        return Field(name, kind, call.name, options, to or (owner[0], "unknown"), through)
    inner = call.arg(0, "base_field") if kind == "ArrayField" else call.kwargs.get("output_field")
    options.pop("base_field", None)
    options.pop("output_field", None)
    if kind in ("CharField", "FileField", "FilePathField", "SlugField") and "max_length" not in options:
        length = _MAX_LENGTHS.get(call.last, _MAX_LENGTHS.get(kind))
        options |= {"max_length": length} if length else {}
    nested = field_of(name, inner, owner, names) if isinstance(inner, Call) else None
    return Field(name, kind, call.name, options, inner=nested, type=known_type)


def _setting(value: Any, names: Mapping[str, str]) -> Any:
    """Return the number that a setting is (`max_length=settings.CODE_LENGTH`), any other value as it is."""
    if not isinstance(value, Symbol) or not value.name.startswith("django.conf.settings."):
        return value
    number = names.get(value.name.rpartition(".")[2], "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 9 else value


def _kind(call: Call) -> tuple[str, str]:
    """Return the built-in field that decides a field's column, or CUSTOM with the type that its class names."""
    if call.name.startswith("django.") or call.name in _BUILT_IN:
        return (_INTERNAL.get(call.last, call.last), "") if call.last in _BUILT_IN else (CUSTOM, "")
    if isinstance(call.receiver, Class):
        return _of_class(call.receiver)
    if call.name in _OF_PACKAGES:
        return _OF_PACKAGES[call.name], ""
    return next(((kind, "") for kind in (*FOREIGN_KEYS, MANY_TO_MANY) if call.last.endswith(kind)), (CUSTOM, ""))


def _of_class(owner: Class, depth: int = _MAX_DEPTH) -> tuple[str, str]:
    """Follow a field class of the project to the built-in field that it extends, or to what it says its type is."""
    if written := _returned(owner, "db_type"):
        return CUSTOM, written
    if internal := _returned(owner, "get_internal_type"):
        return (_INTERNAL.get(internal, internal), "") if internal in _BUILT_IN else (CUSTOM, "")
    for base in owner.bases:
        found = (CUSTOM, "")
        if isinstance(base, Class):
            found = _of_class(base, depth - 1) if depth else found
        elif isinstance(base, Symbol):
            found = _kind(Call(base.name))
        if found != (CUSTOM, ""):
            return found
    return CUSTOM, ""


def _returned(owner: Class, method: str) -> str:
    """Return the text that a method of a class returns when it is the same always."""
    for node in owner.node.body:
        if isinstance(node, ast.FunctionDef) and node.name == method:
            match node.body[-1]:
                case ast.Return(value=ast.Constant(value=str(text))):
                    return text
    return ""


def model_key(value: Any, owner: Key, names: Mapping[str, str]) -> Key | None:
    """Return the model that a relation names: 'app.Model', 'Model', 'self', a setting or a class; None when unknown."""
    match value:
        case Text(value="self"):
            return owner
        case Text(value=named):
            label, _, model = named.rpartition(".")
            return label.rpartition(".")[2] or owner[0], model.lower()
        case Class(name=named, module=module):
            return module.path.parent.name, named.lower()
        case Symbol(name=named) if ".models." in named:
            return named.partition(".models.")[0].rpartition(".")[2] or owner[0], named.rpartition(".")[2].lower()
        case Symbol(name=named):
            setting = named.rpartition(".")[2]
        case Call(name=named) if named.endswith("get_user_model"):
            setting = "AUTH_USER_MODEL"
        case Call(args=args) if args and isinstance(args[-1], Text):
            # getattr(settings, "SHOP_MODEL", "shop.Shop") and helpers that are given the app and the model
            words = [each.value for each in args if isinstance(each, Text)]
            setting, named = words[0], words[-1] if "." in words[-1] else ".".join(words[-2:])
            return model_key(Text(names.get(setting, named)), owner, names)
        case _:
            return None
    label, _, model = names.get(setting, "auth.User" if setting == "AUTH_USER_MODEL" else setting).rpartition(".")
    return label.rpartition(".")[2] or owner[0], model.lower()


def plain(value: Any) -> Any:
    """Return a value without the places of its texts, so that equal ones are equal."""
    match value:
        case Text(value=text):
            return text
        case list() | tuple():
            return tuple(plain(each) for each in value)
        case dict():
            return {plain(key): plain(each) for key, each in value.items()}
        case Call(name=name, args=args, kwargs=kwargs, receiver=receiver):
            while isinstance(receiver, Method):
                receiver = receiver.receiver
            return Call(name, plain(args), {word: plain(each) for word, each in kwargs.items()}, plain(receiver))
        case _:
            return value


def _is_not_provided(value: Any) -> bool:
    return isinstance(value, Symbol) and value.name.endswith("NOT_PROVIDED")


def is_callable(value: Any) -> bool:
    """Whether a default is called for each row that Django writes, or cannot be known."""
    return value is UNKNOWN or isinstance(value, Function | Symbol | Call)


def origin(made: Call, depth: int = _MAX_DEPTH) -> str:
    """Return the name of Django's class that a call makes, also by way of a class of the project; empty for others."""
    if made.name.startswith("django."):
        return made.last
    bases = made.receiver.bases if isinstance(made.receiver, Class) and depth else ()
    calls = (Call(base.name, receiver=base) for base in bases if isinstance(base, Symbol))
    return next((found for call in calls if (found := origin(call, depth - 1))), "")
