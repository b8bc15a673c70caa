/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fence_vigil_bmc: fences a server through its management controller.
 *
 * "Off" means that the controller's chassis status said off, read after the command, in a session that both sides authenticated. An answer
 * to the command itself proves nothing, and no answer is a failure. Which controller belongs to a node is either the host
 * map's word (hosts), or there is only one (ip).
 */
#include <string.h>

#include "agent/fence.h"
#include "power/ipmi.h"
#include "power/power.h"
#include "power/secrets.h"

/* A log-in's step or a command that is not answered in this time is begun again, within login_timeout and shell_timeout. */
#define STEP_MS 2500
/* All controllers of a host map are looked at within this time, each within a share of it. */
#define ROUND_MS 15000
#define HOST_LEAST_MS 1000

enum monitor_scope {
    MONITOR_ANY,
    MONITOR_ALL,
};

struct bmc_config {
    int protocol;
    const char *hosts;
    const char *ip;
    int port;
    bool port_as_ip;
    const char *username;
    struct secrets_source secrets;
    const char *password_script;
    int cipher;
    int privilege;
    const char *workarounds;
    const char *target;
    uint64_t resend_ms;
    int monitor_scope;
    bool lanplus;
    const char *ignored[8];
};

/* ---- parameters --------------------------------------------------------------------------------------------------- */

#define IGNORED(place) PARAM_TEXT(struct bmc_config, ignored[place]), .advanced = true
#define IGNORED_TEXT "Accepted for compatibility with fence_ipmilan, without effect"

static const struct param params[] = {
    { "ip", PARAM_TEXT(struct bmc_config, ip), .short_option = 'a', .aliases = NAMES("ipaddr"), .check = endpoint_check,
      .shortdesc = "Address of the management controller",
      .longdesc = "IPv4 address, IPv6 address or host name of the one management controller, a port may follow: 192.0.2.11, "
                  "bmc1.example:9623, [2001:db8::11]:623. Name its node by pcmk_host_list; for several controllers use hosts." },
    { "hosts", PARAM_TEXT(struct bmc_config, hosts), .check = host_map_check,
      .shortdesc = "Host map: NODE=ADDRESS of each node's controller",
      .longdesc = "Which management controller belongs to which node, so that one fence device serves several nodes: "
                  "\"n1=192.0.2.11 n2=192.0.2.12:9623 n3=[2001:db8::13]:623\". Blanks, commas or semicolons separate. The "
                  "node's name comes as plug, port or nodename. Not together with ip." },
    { "ipport", PARAM_INTEGER(struct bmc_config, port), .short_option = 'u', .default_value = "623", .minimum = 1,
      .maximum = 65535, .shortdesc = "UDP port of a controller whose address names none" },
    { "port_as_ip", PARAM_BOOLEAN(struct bmc_config, port_as_ip), .advanced = true,
      .shortdesc = "The plug is the address of the controller" },
    { "username", PARAM_TEXT(struct bmc_config, username), .short_option = 'l', .aliases = NAMES("login"),
      .check = ipmi_username_check, .shortdesc = "Account on the controller",
      .longdesc = "Account on the controller, at most 16 bytes. It needs operator privilege on the LAN channel; leave it out "
                  "for the anonymous account." },
    { "password_file", PARAM_PATH(struct bmc_config, secrets.password_file), .shortdesc = "File with the password",
      .longdesc = "File whose first line is the password, at most 20 bytes. It must belong to root and be readable by "
                  "nobody else. This is the way to keep the password out of the CIB." },
    { "password", PARAM_TEXT(struct bmc_config, secrets.password), .short_option = 'p', .aliases = NAMES("passwd"), .secret = true,
      .check = ipmi_password_check, .shortdesc = "Password, better kept in password_file" },
    { "privlvl", PARAM_CHOICE(struct bmc_config, privilege), .short_option = 'L', .default_value = "administrator",
      .choices = NAMES("user", "operator", "administrator"), .shortdesc = "Privilege level to log in with",
      .longdesc = "Privilege level to log in with. Switching the power needs operator; an account that has no more must "
                  "have it named here." },
    { "cipher", PARAM_CHOICE(struct bmc_config, cipher), .short_option = 'C', .default_value = "best",
      .choices = ipmi_cipher_names, .shortdesc = "Cipher suite of RMCP+",
      .longdesc = "Cipher suite of RMCP+. best takes 17 (SHA-256, AES) where the controller has it and else 3 (SHA-1, AES). 0, 1, 6 "
                  "and 15 do not protect the controller's answers, so that anybody on its network could forge an \"off\"." },
    { "protocol", PARAM_CHOICE(struct bmc_config, protocol), .default_value = "ipmi", .choices = power_protocol_names,
      .advanced = true, .shortdesc = "Protocol of the controllers" },
    { "hexadecimal_kg_file", PARAM_PATH(struct bmc_config, secrets.k_g_file), .advanced = true,
      .shortdesc = "File with the controller's key (Kg) in hexadecimal" },
    { "hexadecimal_kg", PARAM_TEXT(struct bmc_config, secrets.k_g), .advanced = true, .secret = true, .check = ipmi_k_g_check,
      .shortdesc = "The controller's key (Kg) in hexadecimal, better kept in hexadecimal_kg_file" },
    { "target", PARAM_TEXT(struct bmc_config, target), .advanced = true, .check = ipmi_target_check,
      .shortdesc = "Slave address of a controller behind this one, to which commands are bridged" },
    { "workarounds", PARAM_TEXT(struct bmc_config, workarounds), .default_value = "authcap,opensesspriv", .advanced = true,
      .check = ipmi_workarounds_check, .shortdesc = "Deviations from the specification to put up with",
      .longdesc = "For controllers that deviate from the IPMI specification, by the names of FreeIPMI's tools: authcap, intel20, "
                  "supermicro20, sun20, opensesspriv, integritycheckvalue; or none. The default does no harm to "
                  "the others." },
    { "resend_interval", PARAM_DURATION(struct bmc_config, resend_ms), .default_value = "500ms", .minimum = 50,
      .maximum = 10000, .advanced = true, .shortdesc = "Send a request again when it is not answered in this time" },
    { "monitor_hosts", PARAM_CHOICE(struct bmc_config, monitor_scope), .default_value = "any",
      .choices = NAMES("any", "all"), .advanced = true,
      .shortdesc = "Which controllers of a host map must answer a monitor",
      .longdesc = "Which controllers of a host map must answer for a monitor to succeed. With any, one that does not is told in "
                  "the log: it should not keep the cluster from fencing the other nodes." },
    { "password_script", PARAM_TEXT(struct bmc_config, password_script), .short_option = 'S',
      .aliases = NAMES("passwd_script"), .advanced = true, .shortdesc = "Not run by this agent: use password_file" },
    { "lanplus", PARAM_BOOLEAN(struct bmc_config, lanplus), .short_option = 'P', .advanced = true,
      .shortdesc = "Always on: this agent speaks only RMCP+ (IPMI 2.0)" },
    { "auth", IGNORED(0), .short_option = 'A', .shortdesc = IGNORED_TEXT },
    { "ipmitool_path", IGNORED(1), .shortdesc = IGNORED_TEXT },
    { "ipmitool_timeout", IGNORED(2), .shortdesc = IGNORED_TEXT },
    { "use_sudo", IGNORED(3), .aliases = NAMES("sudo"), .shortdesc = IGNORED_TEXT },
    { "sudo_path", IGNORED(4), .shortdesc = IGNORED_TEXT },
    { "disable_timeout", IGNORED(5), .shortdesc = IGNORED_TEXT },
    { "plug_separator", IGNORED(6), .shortdesc = IGNORED_TEXT },
    { "verbose_level", IGNORED(7), .shortdesc = IGNORED_TEXT },
    {}
};

/* ---- which controller --------------------------------------------------------------------------------------------- */

static const char *plug_name(const struct fence_run *run)
{
    return run->plug ? run->plug : "the node";
}

/* The controller of the plug. Says why not. */
static int find_endpoint(struct fence_run *run, const struct bmc_config *config, struct power_endpoint *ret)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    uint16_t port = (uint16_t)config->port;
    int r;

    if (config->hosts)
        r = host_map_find(config->hosts, run->plug, port, ret, &why);
    else if (config->port_as_ip)
        r = endpoint_parse(run->plug, strlen(run->plug), port, ret, &why);
    else
        r = endpoint_parse(config->ip, strlen(config->ip), port, ret, &why);
    if (r == -ENOENT)
        return fence_fail(run, r, "hosts names no controller for node '%s': add it there, or keep this device from that "
                                  "node by pcmk_host_list", run->plug);
    return r < 0 ? fence_fail(run, r, "no address of a controller for %s: %s", plug_name(run), why.text) : 0;
}

/* Whether the action is about one controller, or about the host map as a whole. */
static bool has_one_controller(const struct fence_run *run, const struct bmc_config *config)
{
    if (text_equal(run->action, "list") || text_equal(run->action, "list-status"))
        return false;
    return run->plug || !(config->hosts || config->port_as_ip);
}

static int check_addressing(struct fence_run *run, const struct bmc_config *config)
{
    bool wants_plug = !text_equal(run->action, "monitor") && !text_equal(run->action, "validate-all") &&
                      !text_after(run->action, "list");
    struct power_endpoint endpoint;

    if (config->ip && config->hosts)
        return fence_fail(run, -EINVAL, "ip and hosts are both set: keep hosts for several controllers, ip for one");
    if (!config->ip && !config->hosts && !config->port_as_ip)
        return fence_fail(run, -EINVAL, "no controller is named: set ip for one, or hosts=\"NODE=ADDRESS ...\" for several");
    if ((config->hosts || config->port_as_ip) && wants_plug && !run->plug)
        return fence_fail(run, -EINVAL, "action %s needs a plug: the name of the node, as hosts has it", run->action);
    if (!config->hosts || !run->plug || text_equal(run->action, "validate-all"))
        return 0; /* Pacemaker validates with a made-up node */
    return find_endpoint(run, config, &endpoint);
}

static int check_secrets(struct fence_run *run, const struct bmc_config *config)
{
    if (config->password_script)
        return fence_fail(run, -EINVAL, "password_script is not run by this agent: put the password into a file of mode 0600 "
                                        "and name it by password_file");
    if (config->secrets.password && config->secrets.password_file)
        return fence_fail(run, -EINVAL, "password and password_file are both set: keep password_file");
    if (config->secrets.k_g && config->secrets.k_g_file)
        return fence_fail(run, -EINVAL, "hexadecimal_kg and hexadecimal_kg_file are both set: keep hexadecimal_kg_file");
    return 0;
}

static int bmc_check_config(struct fence_run *run, const void *data)
{
    const struct bmc_config *config = data;
    int r = check_addressing(run, config);

    if (r == 0)
        r = check_secrets(run, config);
    if (r == 0 && config->cipher > 0 && !ipmi_cipher_is_safe(ipmi_cipher_at(config->cipher)))
        log_warning("cipher suite %s does not protect the controller's answers: anybody on its network can forge an \"off\"; "
                    "set cipher to 17 or 3", ipmi_cipher_names[config->cipher]);
    return r;
}

/* ---- sessions ----------------------------------------------------------------------------------------------------- */

/* A log-in, and the session where one controller is meant. */
struct bmc_session {
    struct power_session *power;
    struct power_login login;
    struct secrets secrets;
};

static void session_free(struct bmc_session *session)
{
    if (!session)
        return;
    if (session->power)
        session->power->protocol->close(session->power);
    secrets_wipe(&session->secrets);
    free(session);
}

static void cleanup_session(struct bmc_session **session)
{
    session_free(*session);
}

/* Everything of a log-in but the address. */
static int prepare_session(struct fence_run *run, const struct bmc_config *config, struct bmc_session **ret)
{
    _cleanup_(cleanup_session) struct bmc_session *session = calloc(1, sizeof(*session));
    _cleanup_text_buffer_ struct text_buffer why = {};
    int r;

    if (!session)
        return -ENOMEM;
    r = secrets_read(&config->secrets, &session->secrets, &why);
    if (r < 0)
        return fence_fail(run, r, "%s", why.text);
    session->login = (struct power_login){
        .username = config->username,
        .password = session->secrets.password,
        .k_g = session->secrets.k_g,
        .privilege = (enum power_privilege)config->privilege,
        .cipher_suite = ipmi_cipher_at(config->cipher),
        .login_ms = STEP_MS,
        .answer_ms = STEP_MS,
        .resend_ms = config->resend_ms,
    };
    (void)ipmi_target_parse(config->target, &session->login.target);
    (void)ipmi_workarounds_parse(config->workarounds, &session->login.workarounds, &why);
    *ret = TAKE_PTR(session);
    return 0;
}

static int fail_at(struct fence_run *run, int error, const struct power_endpoint *endpoint, const struct text_buffer *why)
{
    char where[ENDPOINT_TEXT_SIZE];

    return fence_fail(run, error, "BMC %s of %s: %s", endpoint_format(endpoint, where, sizeof(where)), plug_name(run),
                      why->text ? why->text : strerror(-error));
}

static int bmc_open(struct fence_run *run, const void *data)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    _cleanup_(cleanup_session) struct bmc_session *session = NULL;
    const struct bmc_config *config = data;
    struct power_endpoint endpoint;
    int r;

    if (text_equal(run->action, "list"))
        return 0; /* the map is known without asking anyone */
    r = prepare_session(run, config, &session);
    if (r == 0 && has_one_controller(run, config)) {
        r = find_endpoint(run, config, &endpoint);
        if (r < 0)
            return r;
        r = power_protocol_at(config->protocol)->open(&endpoint, &session->login, run->deadline, &why, &session->power);
        if (r < 0)
            return fail_at(run, r, &endpoint, &why);
    }
    if (r == 0)
        run->session = TAKE_PTR(session);
    return r;
}

static void bmc_close(struct fence_run *run, const void *data _unused_)
{
    session_free(run->session);
    run->session = NULL;
}

/* ---- power -------------------------------------------------------------------------------------------------------- */

static int bmc_power_get(struct fence_run *run, const void *data, enum power_state *ret)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    struct bmc_session *session = run->session;
    struct power_endpoint endpoint;
    struct power_reading reading;
    int r = find_endpoint(run, data, &endpoint);

    if (r < 0)
        return r;
    r = session->power->protocol->read(session->power, run->deadline, &why, &reading);
    if (r < 0)
        return fail_at(run, r, &endpoint, &why);
    *ret = reading.state;
    (void)text_copy(run->evidence, sizeof(run->evidence), reading.evidence);
    return 0;
}

static int give_command(struct fence_run *run, const void *data, enum power_command command)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    struct bmc_session *session = run->session;
    struct power_endpoint endpoint;
    int r = find_endpoint(run, data, &endpoint);

    if (r < 0)
        return r;
    r = session->power->protocol->command(session->power, command, run->deadline, &why);
    return r < 0 ? fail_at(run, r, &endpoint, &why) : 0;
}

static int bmc_power_set(struct fence_run *run, const void *data, enum power_state state)
{
    return give_command(run, data, state == POWER_ON ? POWER_COMMAND_ON : POWER_COMMAND_OFF);
}

static int bmc_power_cycle(struct fence_run *run, const void *data)
{
    return give_command(run, data, POWER_COMMAND_CYCLE);
}

static int bmc_diag(struct fence_run *run, const void *data)
{
    return give_command(run, data, POWER_COMMAND_DIAG);
}

/* ---- the host map as a whole -------------------------------------------------------------------------------------- */

/* A walk over the controllers of the map. */
struct bmc_round {
    struct fence_run *run;
    const struct bmc_config *config;
    fence_emit emit;
    bool look;           /* ask each controller for its power */
    uint64_t each_ms;
    unsigned int failed;
    unsigned int answered;
    char first_failure[512];
};

/* What goes wrong with one controller is noted, not said: the others may do. */
static enum power_state look_at_host(struct bmc_round *round, const char *node, const struct power_endpoint *endpoint)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    const struct bmc_session *session = round->run->session;
    struct power_reading reading = { .state = POWER_UNKNOWN };
    char where[ENDPOINT_TEXT_SIZE], failure[512];
    int r = power_look(power_protocol_at(round->config->protocol), endpoint, &session->login, deadline_in(round->each_ms),
                       &why, &reading);

    if (r == 0) {
        round->answered++;
        return reading.state;
    }
    (void)text_format(failure, sizeof(failure), "BMC %s of %s: %s", endpoint_format(endpoint, where, sizeof(where)), node,
                      why.text ? why.text : strerror(-r));
    log_warning("%s", failure);
    if (round->failed++ == 0)
        (void)text_copy(round->first_failure, sizeof(round->first_failure), failure);
    return POWER_UNKNOWN;
}

static void visit_host(void *context, const char *node, size_t node_length, const struct power_endpoint *endpoint)
{
    struct bmc_round *round = context;
    enum power_state state = POWER_UNKNOWN;
    char name[256];

    (void)text_format(name, sizeof(name), "%.*s", (int)node_length, node);
    if (round->look)
        state = look_at_host(round, name, endpoint);
    round->emit(round->run, name, NULL, state);
}

static uint64_t share_of_round(const char *hosts)
{
    size_t count = text_count_words(hosts, " \t\r\n,;");
    uint64_t share = ROUND_MS / (count ? count : 1);

    return share < HOST_LEAST_MS ? HOST_LEAST_MS : share > 2 * (uint64_t)STEP_MS ? 2 * (uint64_t)STEP_MS : share;
}

/* One controller without a map: a monitor looks at it; whose it is can only be told where the device has a plug. */
static int list_without_map(struct fence_run *run, const struct bmc_config *config, fence_emit emit)
{
    enum power_state state = POWER_UNKNOWN;

    if (text_equal(run->action, "monitor") && has_one_controller(run, config))
        return bmc_power_get(run, config, &state);
    if (text_equal(run->action, "monitor"))
        return 0; /* port_as_ip: there is nothing to look at without a plug */
    if (run->plug && text_equal(run->action, "list")) {
        emit(run, run->plug, NULL, state);
        return 0;
    }
    /* An empty list, not a failure: told that list fails, Pacemaker's fencer asks for the status of any node instead, takes each answer for "can
     * be fenced by it" (fenced_commands.c, dynamic_list_search_cb), and this controller's node would be switched off in place of another. */
    log_warning("which node this controller belongs to is not known, so it is listed for none: set hosts, plug or pcmk_host_list");
    return 0;
}

static int bmc_list(struct fence_run *run, const void *data, fence_emit emit)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    const struct bmc_config *config = data;
    struct bmc_round round = { .run = run, .config = config, .emit = emit, .look = !text_equal(run->action, "list") };

    if (!config->hosts)
        return list_without_map(run, config, emit);
    round.each_ms = share_of_round(config->hosts);
    (void)host_map_walk(config->hosts, strlen(config->hosts), (uint16_t)config->port, visit_host, &round, &why);
    if (!round.look || text_equal(run->action, "list-status") || round.failed == 0)
        return 0;
    if (round.answered > 0 && config->monitor_scope == MONITOR_ANY)
        return 0;
    return fence_fail(run, -EIO, "%u of %u controllers cannot be used, the first is %s", round.failed,
                      round.failed + round.answered, round.first_failure);
}

static const struct fence_operations operations = {
    .open = bmc_open,
    .close = bmc_close,
    .power_get = bmc_power_get,
    .power_set = bmc_power_set,
    .power_cycle = bmc_power_cycle,
    .list = bmc_list,
    .diag = bmc_diag,
    .check_config = bmc_check_config,
};

static const struct fence_agent agent = {
    .name = "fence_vigil_bmc",
    .shortdesc = "Fences servers through their management controllers (BMC) by IPMI",
    .longdesc = "fence_vigil_bmc switches the power of servers through their management controllers: IPMI 2.0 (RMCP+) with "
                "authenticated, encrypted sessions. A node counts as off only when the controller was seen to say so after "
                "the command. One device serves one node (ip) or several (hosts). It understands the parameters of "
                "fence_ipmilan.\n\n"
                "Keep the password in a file of mode 0600 on every node that may fence (password_file).",
    .vendor_url = "https://www.intel.com/content/www/us/en/products/docs/servers/ipmi/ipmi-home.html",
    .params = params,
    .config_size = sizeof(struct bmc_config),
    .operations = &operations,
};

int main(int argc, char *argv[])
{
    return fence_main(&agent, argc, argv);
}
