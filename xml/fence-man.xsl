<?xml version="1.0" encoding="UTF-8"?>
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- A fence agent's metadata to its man page, fence_vigil_NAME(8):
     AGENT -o metadata | xsltproc (string parameters) version VERSION fence-man.xsl - -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:import href="man-roff.xsl"/>
<xsl:output method="text" encoding="UTF-8"/>
<xsl:param name="version"/>

<xsl:variable name="agent" select="string(/resource-agent/@name)"/>
<xsl:variable name="upper" select="translate($agent, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')"/>

<xsl:template match="/resource-agent">
  <xsl:value-of select="concat('.\&quot; Made from the metadata of ', $agent, '; edit its tables instead.', $newline)"/>
  <xsl:value-of select="concat('.TH &quot;', $upper, '&quot; 8 &quot;&quot; &quot;Vigil ', $version, '&quot; &quot;Fence agents&quot;', $newline)"/>
  <xsl:value-of select="concat('.nh', $newline, '.ad l', $newline)"/>
  <xsl:value-of select="concat('.SH NAME', $newline)"/>
  <xsl:call-template name="line">
    <xsl:with-param name="text" select="concat($agent, ' - ', @shortdesc)"/>
  </xsl:call-template>
  <xsl:value-of select="concat('.SH SYNOPSIS', $newline, '.B ')"/>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="$agent"/></xsl:call-template>
  <xsl:value-of select="concat($newline, '.RI [ option ]...', $newline)"/>
  <xsl:value-of select="concat('.SH DESCRIPTION', $newline)"/>
  <xsl:call-template name="paragraphs"><xsl:with-param name="text" select="string(longdesc[1])"/></xsl:call-template>
  <xsl:value-of select="concat('.PP', $newline)"/>
  <xsl:text>Without an option the parameters are read from standard input, one </xsl:text>
  <xsl:value-of select="concat('\fIname\fR=\fIvalue\fR', ' a line, as the cluster gives them; unknown names are ignored there with a warning.', $newline)"/>
  <xsl:value-of select="concat('.SH PARAMETERS', $newline)"/>
  <xsl:apply-templates select="parameters/parameter"/>
  <xsl:value-of select="concat('.SH ACTIONS', $newline)"/>
  <xsl:for-each select="actions/action">
    <xsl:value-of select="concat('.TP', $newline, '\fB')"/>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@name)"/></xsl:call-template>
    <xsl:value-of select="concat('\fR', $newline)"/>
    <xsl:call-template name="action-text"/>
  </xsl:for-each>
  <xsl:value-of select="concat('.SH EXIT STATUS', $newline)"/>
  <xsl:value-of select="concat('.TP', $newline, '.B 0', $newline, 'The action has succeeded, and its result was seen; for ', '\fBstatus\fR', ' and ', '\fBmonitor\fR', ': the plug is on, the device answers.', $newline)"/>
  <xsl:value-of select="concat('.TP', $newline, '.B 1', $newline, 'Failed, or not known; the reason stands on standard error.', $newline)"/>
  <xsl:value-of select="concat('.TP', $newline, '.B 2', $newline, '\fBstatus\fR: the plug is off.', $newline)"/>
  <xsl:value-of select="concat('.SH SEE ALSO', $newline, '.BR vigil (7),', $newline, '.BR pcs (8),', $newline, '.BR crm (8),', $newline, '.BR stonith_admin (8)', $newline)"/>
  <xsl:if test="normalize-space(vendor-url) != ''">
    <xsl:value-of select="concat('.PP', $newline)"/>
    <!-- A long address may be broken behind a slash. -->
    <xsl:call-template name="replace">
      <xsl:with-param name="text"><xsl:call-template name="line"><xsl:with-param name="text" select="string(vendor-url)"/></xsl:call-template></xsl:with-param>
      <xsl:with-param name="from" select="'/'"/>
      <xsl:with-param name="to" select="'/\:'"/>
    </xsl:call-template>
  </xsl:if>
</xsl:template>

<xsl:template match="parameter">
  <xsl:value-of select="concat('.TP', $newline, '\fB')"/>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@name)"/></xsl:call-template>
  <xsl:text>\fR (</xsl:text>
  <xsl:choose>
    <xsl:when test="content/option">one of <xsl:call-template name="choices"/></xsl:when>
    <xsl:otherwise><xsl:value-of select="content/@type"/></xsl:otherwise>
  </xsl:choose>
  <xsl:if test="@required = '1'">, required</xsl:if>
  <xsl:if test="content/@default != ''">
    <xsl:text>, default </xsl:text>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="string(content/@default)"/></xsl:call-template>
  </xsl:if>
  <xsl:if test="@deprecated = '1'">, deprecated</xsl:if>
  <xsl:text>)</xsl:text>
  <xsl:if test="normalize-space(getopt/@mixed) != ''">
    <xsl:text>: </xsl:text>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="normalize-space(getopt/@mixed)"/></xsl:call-template>
  </xsl:if>
  <xsl:value-of select="$newline"/>
  <xsl:call-template name="parameter-text"/>
  <xsl:if test="@obsoletes">
    <xsl:value-of select="concat('.br', $newline, 'Replaces ')"/>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@obsoletes)"/></xsl:call-template>
    <xsl:value-of select="concat('.', $newline)"/>
  </xsl:if>
</xsl:template>

<xsl:template name="action-text">
  <xsl:choose>
    <xsl:when test="@name = 'on'">
      <xsl:text>Turns the plug on and looks until it is seen on.</xsl:text>
      <xsl:if test="@automatic = '1'"> The cluster calls it when a node joins (unfencing).</xsl:if>
    </xsl:when>
    <xsl:when test="@name = 'off'">Turns the plug off and looks until it is seen off.</xsl:when>
    <xsl:when test="@name = 'reboot'">Off, seen off, then on. A plug that is already off is no error.</xsl:when>
    <xsl:when test="@name = 'status'">Tells whether the plug is on (exit 0) or off (exit 2).</xsl:when>
    <xsl:when test="@name = 'monitor'">Checks that the device answers.</xsl:when>
    <xsl:when test="@name = 'list'">Prints the plugs, one a line.</xsl:when>
    <xsl:when test="@name = 'list-status'">Prints the plugs and the state of each.</xsl:when>
    <xsl:when test="@name = 'diag'">Interrupts the node so that it writes a crash dump.</xsl:when>
    <xsl:when test="@name = 'metadata'">Prints the description of the agent in XML.</xsl:when>
    <xsl:when test="@name = 'manpage'">Prints the manual page.</xsl:when>
    <xsl:when test="@name = 'validate-all'">Checks the parameters; changes nothing.</xsl:when>
    <xsl:otherwise>See the description.</xsl:otherwise>
  </xsl:choose>
  <xsl:value-of select="$newline"/>
</xsl:template>

</xsl:stylesheet>
