/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/metadata.h"

#include <string.h>

void xml_print(FILE *stream, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            (void)fputs("&amp;", stream);
            break;
        case '<':
            (void)fputs("&lt;", stream);
            break;
        case '>':
            (void)fputs("&gt;", stream);
            break;
        case '"':
            (void)fputs("&quot;", stream);
            break;
        case '\'':
            (void)fputs("&apos;", stream);
            break;
        default:
            (void)fputc(*text, stream);
        }
    }
}

static void print_attribute(FILE *stream, const char *name, const char *value)
{
    (void)fprintf(stream, " %s=\"", name);
    xml_print(stream, value);
    (void)fputc('"', stream);
}

static void print_description(FILE *stream, const char *indent, const char *element, const char *text)
{
    (void)fprintf(stream, "%s<%s lang=\"en\">", indent, element);
    xml_print(stream, text);
    (void)fprintf(stream, "</%s>\n", element);
}

static void print_content(FILE *stream, const char *indent, const char *type, const struct param *param)
{
    (void)fprintf(stream, "%s<content", indent);
    print_attribute(stream, "type", type);
    if (param->default_value && !param->secret)
        print_attribute(stream, "default", param->default_value);
    if (!param->choices) {
        (void)fputs("/>\n", stream);
        return;
    }
    (void)fputs(">\n", stream);
    for (const char *const *choice = param->choices; *choice; choice++) {
        (void)fprintf(stream, "%s  <option", indent);
        print_attribute(stream, "value", *choice);
        (void)fputs("/>\n", stream);
    }
    (void)fprintf(stream, "%s</content>\n", indent);
}

/* ---- OCF ---------------------------------------------------------------------------------------------------------- */

/* One <parameter>, under its own name or, deprecated, under an alias. */
static void print_ocf_parameter(FILE *stream, const struct param *param, const char *alias)
{
    (void)fputs("    <parameter", stream);
    print_attribute(stream, "name", alias ? alias : param->name);
    print_attribute(stream, "required", param->required && !alias ? "1" : "0");
    if (param->unique_group && !alias)
        print_attribute(stream, "unique-group", param->unique_group);
    if (param->reloadable)
        print_attribute(stream, "reloadable", "1");
    (void)fputs(">\n", stream);
    if (alias) {
        (void)fputs("      <deprecated><replaced-with", stream);
        print_attribute(stream, "name", param->name);
        (void)fputs("/></deprecated>\n", stream);
    }
    print_description(stream, "      ", "longdesc", param->longdesc ? param->longdesc : param->shortdesc);
    print_description(stream, "      ", "shortdesc", param->shortdesc);
    print_content(stream, "      ", param->type->ocf_content, param);
    (void)fputs("    </parameter>\n", stream);
}

static void print_ocf_action(FILE *stream, const struct agent_action *action)
{
    (void)fputs("    <action", stream);
    print_attribute(stream, "name", action->name);
    (void)fprintf(stream, " timeout=\"%us\"", action->timeout_s);
    if (action->interval_s > 0)
        (void)fprintf(stream, " interval=\"%us\"", action->interval_s);
    if (strcmp(action->name, "monitor") == 0)
        (void)fprintf(stream, " depth=\"%u\"", action->depth);
    if (action->role)
        print_attribute(stream, "role", action->role);
    (void)fputs("/>\n", stream);
}

static bool has_action(const struct agent *agent, const char *name)
{
    for (const struct agent_action *action = agent->actions; action->name; action++) {
        if (text_equal(action->name, name))
            return true;
    }
    return false;
}

/* The document type is stated in the document: ocf-tester validates metadata against what it names, and the ra-api-1.dtd that
 * resource-agents installs is that of OCF 1.0, which knows no unique-group, reloadable, deprecated, select or reload-agent. */
static const char ocf_document_type[] =
    "<!DOCTYPE resource-agent [\n"
    "  <!ELEMENT resource-agent (version, longdesc*, shortdesc*, parameters, actions)>\n"
    "  <!ATTLIST resource-agent name CDATA #REQUIRED version CDATA #IMPLIED>\n"
    "  <!ELEMENT version (#PCDATA)>\n"
    "  <!ELEMENT longdesc (#PCDATA)>\n"
    "  <!ATTLIST longdesc lang CDATA #REQUIRED>\n"
    "  <!ELEMENT shortdesc (#PCDATA)>\n"
    "  <!ATTLIST shortdesc lang CDATA #REQUIRED>\n"
    "  <!ELEMENT parameters (parameter+)>\n"
    "  <!ELEMENT parameter (deprecated?, longdesc+, shortdesc+, content)>\n"
    "  <!ATTLIST parameter name CDATA #REQUIRED unique-group CDATA #IMPLIED required (0|1) #IMPLIED reloadable (0|1) #IMPLIED>\n"
    "  <!ELEMENT deprecated (replaced-with*)>\n"
    "  <!ELEMENT replaced-with EMPTY>\n"
    "  <!ATTLIST replaced-with name CDATA #REQUIRED>\n"
    "  <!ELEMENT content (option*)>\n"
    "  <!ATTLIST content type (string|integer|boolean|select) #REQUIRED default CDATA #IMPLIED>\n"
    "  <!ELEMENT option EMPTY>\n"
    "  <!ATTLIST option value CDATA #REQUIRED>\n"
    "  <!ELEMENT actions (action+)>\n"
    "  <!ELEMENT action EMPTY>\n"
    "  <!ATTLIST action name CDATA #REQUIRED timeout CDATA #REQUIRED interval CDATA #IMPLIED depth CDATA #IMPLIED role CDATA #IMPLIED>\n"
    "]>\n";

void agent_print_metadata(const struct agent *agent, FILE *stream)
{
    (void)fprintf(stream, "<?xml version=\"1.0\"?>\n%s<resource-agent", ocf_document_type);
    print_attribute(stream, "name", agent->name);
    print_attribute(stream, "version", PACKAGE_VERSION);
    (void)fputs(">\n  <version>1.1</version>\n", stream);
    print_description(stream, "  ", "longdesc", agent->longdesc);
    print_description(stream, "  ", "shortdesc", agent->shortdesc);
    (void)fputs("  <parameters>\n", stream);
    for (const struct param *param = agent->params; param && param->name; param++) {
        print_ocf_parameter(stream, param, NULL);
        for (const char *const *alias = param->aliases; alias && *alias; alias++)
            print_ocf_parameter(stream, param, *alias);
    }
    (void)fputs("  </parameters>\n  <actions>\n", stream);
    for (const struct agent_action *action = agent->actions; action->name; action++)
        print_ocf_action(stream, action);
    if (!has_action(agent, "validate-all"))
        (void)fputs("    <action name=\"validate-all\" timeout=\"20s\"/>\n", stream);
    (void)fputs("    <action name=\"meta-data\" timeout=\"5s\"/>\n  </actions>\n</resource-agent>\n", stream);
}

/* ---- fence agents ------------------------------------------------------------------------------------------------- */

/* "-o, --action=[action]": how the command line names the parameter; Pacemaker and pcs read the long name from it. */
static void print_getopt(FILE *stream, const struct param *param)
{
    (void)fputs("      <getopt mixed=\"", stream);
    if (param->short_option)
        (void)fprintf(stream, "-%c, ", param->short_option);
    (void)fputs("--", stream);
    for (const char *next = param->name; *next; next++)
        (void)fputc(*next == '_' ? '-' : *next, stream);
    if (param->type != &param_type_boolean)
        (void)fprintf(stream, "=[%s]", param->type->name);
    (void)fputs("\"/>\n", stream);
}

/* The schema of fence-agents knows no longdesc of a parameter, so the longer text stands in the short one's place, as
 * in the stock agents. */
static void print_fence_parameter(FILE *stream, const struct param *param, const char *alias)
{
    (void)fputs("    <parameter", stream);
    print_attribute(stream, "name", alias ? alias : param->name);
    print_attribute(stream, "unique", "0");
    print_attribute(stream, "required", param->required && !alias ? "1" : "0");
    if (alias)
        print_attribute(stream, "deprecated", "1");
    else if (param->aliases)
        print_attribute(stream, "obsoletes", param->aliases[0]);
    (void)fputs(">\n", stream);
    print_getopt(stream, param);
    print_content(stream, "      ", param->type->fence_content, param);
    print_description(stream, "      ", "shortdesc", param->longdesc ? param->longdesc : param->shortdesc);
    (void)fputs("    </parameter>\n", stream);
}

static void print_fence_table(FILE *stream, const struct param *table)
{
    for (const struct param *param = table; param && param->name; param++) {
        print_fence_parameter(stream, param, NULL);
        for (const char *const *alias = param->aliases; alias && *alias; alias++)
            print_fence_parameter(stream, param, *alias);
    }
}

void fence_print_metadata(const struct fence_agent *agent, const struct param *common, FILE *stream)
{
    (void)fputs("<?xml version=\"1.0\"?>\n<resource-agent", stream);
    print_attribute(stream, "name", agent->name);
    print_attribute(stream, "shortdesc", agent->shortdesc);
    (void)fputs(">\n  <longdesc>", stream);
    xml_print(stream, agent->longdesc);
    (void)fputs("</longdesc>\n  <vendor-url>", stream);
    xml_print(stream, agent->vendor_url ? agent->vendor_url : "");
    (void)fputs("</vendor-url>\n  <parameters>\n", stream);
    print_fence_table(stream, common);
    print_fence_table(stream, agent->params);
    (void)fputs("  </parameters>\n  <actions>\n", stream);
    for (const char *const *name = fence_action_names; *name; name++) {
        if (!fence_offers(agent, *name))
            continue;
        (void)fputs("    <action", stream);
        print_attribute(stream, "name", *name);
        if (text_equal(*name, "on"))
            (void)fputs(agent->on_automatic ? " on_target=\"1\" automatic=\"1\"" : " automatic=\"0\"", stream);
        (void)fputs("/>\n", stream);
    }
    (void)fputs("  </actions>\n</resource-agent>\n", stream);
}

/* ---- commands ----------------------------------------------------------------------------------------------------- */

static void print_command_parameter(FILE *stream, const struct param *param)
{
    (void)fputs("      <parameter", stream);
    print_attribute(stream, "name", param->name);
    print_attribute(stream, "required", param->required ? "1" : "0");
    if (param->type != &param_type_boolean)
        print_attribute(stream, "value", param->type->name);
    (void)fputs(">\n", stream);
    print_description(stream, "        ", "longdesc", param->longdesc ? param->longdesc : param->shortdesc);
    print_description(stream, "        ", "shortdesc", param->shortdesc);
    print_content(stream, "        ", param->type->ocf_content, param);
    (void)fputs("      </parameter>\n", stream);
}

static void print_command(FILE *stream, const struct command *command)
{
    (void)fputs("    <command", stream);
    print_attribute(stream, "name", command->name);
    if (command->operands)
        print_attribute(stream, "operands", command->operands);
    print_attribute(stream, "json", command->offers_json ? "1" : "0");
    (void)fputs(">\n", stream);
    print_description(stream, "      ", "longdesc", command->longdesc);
    print_description(stream, "      ", "shortdesc", command->shortdesc);
    for (const struct param *param = command->options; param && param->name; param++)
        print_command_parameter(stream, param);
    (void)fputs("    </command>\n", stream);
}

void command_print_metadata(const struct command_suite *suite, FILE *stream)
{
    (void)fputs("<?xml version=\"1.0\"?>\n<command-suite", stream);
    print_attribute(stream, "name", suite->name);
    print_attribute(stream, "version", PACKAGE_VERSION);
    (void)fputs(">\n", stream);
    print_description(stream, "  ", "longdesc", suite->longdesc);
    print_description(stream, "  ", "shortdesc", suite->shortdesc);
    (void)fputs("  <commands>\n", stream);
    for (const struct command *const *command = suite->commands; *command; command++)
        print_command(stream, *command);
    (void)fputs("  </commands>\n</command-suite>\n", stream);
}
